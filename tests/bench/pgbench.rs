//! PostgreSQL's own load generator, with a script of ours.

use crate::world::{CLIENTS, server_programs};
use anyhow::{Context, Result, ensure};
use secrecy::{ExposeSecret, SecretString};
use std::path::PathBuf;
use std::process::Stdio;
use tokio::process::Command;

/// A script and the program that runs it.
pub struct Script {
    program: PathBuf,
    file: PathBuf,
}

impl Script {
    /// `name` is unique to this process.
    pub async fn new(name: &str, text: &str) -> Result<Script> {
        let program = PathBuf::from(server_programs().await?).join("pgbench");
        ensure!(program.is_file(), "{} is missing: it comes with PostgreSQL's contrib package", program.display());
        let file = std::env::temp_dir().join(format!("ringtill-bench-{}-{name}.sql", std::process::id()));
        std::fs::write(&file, text).context("the temporary folder can be written")?;
        Ok(Script { program, file })
    }

    /// Transactions a second over all clients, prepared statements, connecting not counted. `first` is the script's `:n` at the
    /// start; each client counts it up itself.
    pub async fn run(&self, database: &SecretString, transactions_each: usize, first: usize) -> Result<f64> {
        let output = Command::new(&self.program)
            .args(["--no-vacuum", "--protocol=prepared", "--jobs=2"])
            .arg(format!("--client={CLIENTS}"))
            .arg(format!("--transactions={transactions_each}"))
            .arg(format!("--define=n={first}"))
            .arg(format!("--file={}", self.file.display()))
            .arg(database.expose_secret())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .context("pgbench can be started")?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "pgbench failed: {}", String::from_utf8_lossy(&output.stderr));
        ensure!(!said.contains("aborted"), "pgbench gave up: {said}");
        let rate = said.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
        rate.with_context(|| format!("pgbench says no rate: {said}"))
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.file) {
            eprintln!("{} could not be removed: {error}", self.file.display());
        }
    }
}

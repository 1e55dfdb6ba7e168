//! The pages, in a real browser: each audience's way through the demo world, on a desk and on a telephone, by day and by
//! night. Pictures of what was seen are left in `tests/screenshots`.

use manual::{Finished, find_program, run_peer};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Runs a script of this folder with node; `environment` is what it reads.
fn run_script(name: &str, environment: &[(&str, &str)]) -> Finished {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("pages");
    assert!(
        folder.with_file_name("node_modules").is_dir(),
        "the browser tests' packages are not installed: `make test` does it, or `npm ci` in tests"
    );
    let mut node = Command::new(find_program("node"));
    node.arg(folder.join(name)).current_dir(&folder).envs(environment.iter().copied());
    run_peer(&node, Duration::from_secs(540))
}

#[test]
fn the_browser_harness_sees_every_kind_of_fault() {
    let run = run_script("harness.test.mjs", &[]);
    assert!(run.success, "{}", run.output);
}

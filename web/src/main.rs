//! `ringtill`: one program with roles. Each command says in one sentence what went wrong and what to do; exit code 0 is
//! success, 1 a failure, 2 wrong usage, 3 a violated invariant, 78 a wrong setting.

use ringtill::{commands, import_command};
use std::process::ExitCode;

const USAGE: &str = "ringtill: billing for businesses that answer phones for money

  ringtill serve             web, worker and SIP edge in one process, until Ctrl-C
  ringtill migrate           bring the schema up to date and make the two login roles
  ringtill demo              load the demo world into an empty database
  ringtill audit             check the invariants of every book; exit code 3 when one is violated
  ringtill audit --recount   the same, and count every hour of usage once more from its events
  ringtill price [FILE]      price JSON lines from FILE or standard input
  ringtill api-key ORGANISATION SCOPE..
                             make a key for the API and print it, as in: api-key nordlicht customers:read
  ringtill call [SECONDS] [TOPIC]
                             place a test call to the running SIP edge and say where to see it
  ringtill import ORGANISATION FILE --format FORMAT [--try]
                             take a file of call records, or try it and write nothing; FORMAT is freeswitch_json,
                             freeswitch_xml, asterisk_csv, asterisk_cel, acc_json, csv, or a way kept in the book
  ringtill help              this text

Settings come from the environment; the table is in README.md.
";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["serve"] => commands::serve().await,
        ["migrate"] => commands::migrate().await,
        ["demo"] => commands::demo().await,
        ["audit"] => commands::audit().await,
        ["audit", "--recount"] => commands::audit_with_recount().await,
        ["price"] => commands::price(None),
        ["price", file] => commands::price(Some(file)),
        ["api-key", organisation, scopes @ ..] if !scopes.is_empty() => commands::api_key(organisation, scopes).await,
        ["call", rest @ ..] => commands::call(rest).await,
        ["import", rest @ ..] if import_command::asked(rest).is_some() => import_command::run(rest).await,
        ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("ringtill: {}", commands::sentence(&error));
            ExitCode::from(match () {
                () if error.is::<ringtill::config::ConfigError>() => 78,
                () if error.is::<ringtill::demo_call::WordsMustFit>() => 2,
                () => 1,
            })
        }
    }
}

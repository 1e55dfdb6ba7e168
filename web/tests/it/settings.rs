//! A wrong setting stops the program with one sentence that names the variable and what to write.

use std::process::Command;

/// The exit code of a wrong setting, and of wrong words on the command line.
const WRONG_SETTING: i32 = 78;
const WRONG_USAGE: i32 = 2;

fn ringtill(words: &[&str], settings: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringtill"));
    command.args(words).env_clear();
    command.env("DATABASE_URL", "postgres://nowhere").env("RINGTILL_ROLE_PASSWORD", "x");
    command.env("RINGTILL_SECRET", "0123456789abcdef0123456789abcdef").envs(settings.iter().copied());
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_setting_that_cannot_be_meant_is_refused_by_name_before_anything_starts() {
    for (settings, sentence) in [
        (vec![("RINGTILL_CONNECTIONS", "0")], "RINGTILL_CONNECTIONS is 0; it must be a number from 1 to 1000."),
        (
            vec![("RINGTILL_HOST", "bad host/")],
            "RINGTILL_HOST is bad host/; it must be a host name alone, as in billing.example.com.",
        ),
        (
            vec![("RINGTILL_LOG", "a=b=c")],
            "RINGTILL_LOG is a=b=c; it must be a level, or levels by part, as in info,call_control=debug.",
        ),
        (
            vec![("RINGTILL_SIP", "0.0.0.0:5070")],
            "RINGTILL_SIP_ADVERTISED is not set, and RINGTILL_SIP is 0.0.0.0:5070, an address that nobody can send to; set it \
             to the IP address that phones reach this machine at.",
        ),
        (
            vec![("RINGTILL_SIP_ADVERTISED", "::")],
            "RINGTILL_SIP_ADVERTISED is ::; it must be the IP address that phones are to send to.",
        ),
        (
            vec![("RINGTILL_HTTP", "127.0.0.1:99999")],
            "RINGTILL_HTTP is 127.0.0.1:99999; it must be an address and a port, as in 127.0.0.1:8080.",
        ),
    ] {
        let (code, said) = ringtill(&["serve"], &settings);
        assert_eq!((code, said), (Some(WRONG_SETTING), format!("ringtill: {sentence}\n")));
    }
}

#[test]
fn settings_that_are_right_are_not_refused() {
    for settings in [
        vec![("RINGTILL_LOG", "debug"), ("RINGTILL_HOST", "Billing.example.com")],
        vec![("RINGTILL_LOG", "info,call_control=debug,sip_media=off"), ("RINGTILL_CONNECTIONS", "1")],
        vec![("RINGTILL_SIP", "0.0.0.0:5070"), ("RINGTILL_SIP_ADVERTISED", "192.0.2.7")],
    ] {
        let (code, said) = ringtill(&["serve"], &settings);
        // All are read; what stops it then is the address of the database, which has no user.
        assert!(code == Some(WRONG_SETTING) && said.contains("DATABASE_URL has no user"), "{code:?} {said}");
    }
}

#[test]
fn words_that_a_call_has_no_use_for_are_wrong_usage() {
    let (code, said) = ringtill(&["call", "60", "3", "now"], &[]);
    assert_eq!(code, Some(WRONG_USAGE), "{said}");
    assert!(said.contains("a call takes seconds and a topic, and nothing of now"), "{said}");
}

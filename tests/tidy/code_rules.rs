//! What a Rust file may not say, each with a sample that is refused and one that is not.

use super::source::{Source, body_after};

const CLOCKS: [&str; 7] = [
    "Utc::now",
    "Local::now",
    "SystemTime::now",
    "Zoned::now",
    "Timestamp::now",
    "OffsetDateTime::now_utc",
    "UNIX_EPOCH.elapsed",
];

/// Time is an argument: only the roof's clock reads the time of day.
pub fn clock_reads(source: &Source) -> Vec<String> {
    if source.path == "web/src/clock.rs" {
        return Vec::new();
    }
    outside_tests(source, &CLOCKS, "reads the clock; take `now` as the last argument")
}

const MONEY_CRATES: [&str; 5] =
    ["crates/money/", "crates/pricing/", "crates/ledger/", "crates/invoicing/", "crates/payments/"];

/// No float near money. Staffing formulas are no money.
pub fn floats_near_money(source: &Source) -> Vec<String> {
    let staffing = source.path.starts_with("crates/pricing/src/erlang");
    if staffing || !MONEY_CRATES.iter().any(|home| source.path.starts_with(home)) {
        return Vec::new();
    }
    let floats = ["f32", "f64"].into_iter().flat_map(|float| source.words(float));
    floats.map(|at| source.complaint(at, "a float where money is; use Money, Decimal or a ratio of integers")).collect()
}

/// Is this the place for queries? `db`, `store.rs`, `store/`; for the mapper also `entity.rs` and `entity/`.
fn is_store(path: &str) -> bool {
    path.starts_with("crates/db/") || path.ends_with("/store.rs") || path.contains("/store/")
}

/// The object mapper and the driver are known to the storing files alone.
pub fn mapper_outside_stores(source: &Source) -> Vec<String> {
    if is_store(&source.path) || source.path.ends_with("/entity.rs") || source.path.contains("/entity/") {
        return Vec::new();
    }
    outside_tests(source, &["sea_orm", "sqlx"], "the database's driver outside db, store and entity")
}

/// SQL lives in the owner's store.
pub fn sql_outside_stores(source: &Source) -> Vec<String> {
    if is_store(&source.path) {
        return Vec::new();
    }
    let statements = source.literals.iter().filter(|(at, text)| !source.is_test(*at) && is_sql(text));
    statements.map(|(at, _)| source.complaint(*at, "SQL outside db and store")).collect()
}

fn is_sql(literal: &str) -> bool {
    let text = literal.trim_start_matches(|c: char| c.is_whitespace() || c == '\\' || c == '(');
    text.starts_with("SELECT ")
        || text.starts_with("INSERT INTO ")
        || text.starts_with("DELETE FROM ")
        || text.starts_with("TRUNCATE ")
        || (text.starts_with("UPDATE ") && text.contains(" SET "))
        || (text.starts_with("WITH ") && text.contains("SELECT"))
}

/// Who may look at all tenants at once. The wall's own list of reasons is closed; so is this list of places.
const PLATFORM_CALLERS: &[&str] = &[
    "crates/db/",
    // Whose number is called and whose phone registers, before a tenant is known; which books a call concerns.
    "crates/call-control/src/",
    "web/src/audit.rs",
    // Which tenants have work due; the work itself is each tenant's own.
    "web/src/worker.rs",
    "web/src/demo/",
    // Whose host, session and memberships these are, before a tenant is known.
    "web/src/extract.rs",
    "web/src/host.rs",
    "web/src/sse.rs",
    "web/src/pages/door.rs",
    // Whose key a request carries, before a tenant is known.
    "web/src/api/door.rs",
    // Which organisation a command names.
    "web/src/commands.rs",
    "web/src/import_command.rs",
    "web/src/demo_call.rs",
    "web/src/import_command.rs",
    // A phone's secret is global: it is found by user name before a tenant is known.
    "web/src/pages/phone.rs",
    // A person is global: looked for by address before it is a member.
    "web/src/pages/book/new_agent.rs",
    // Host names are global: whose each is, is known to all or to nobody.
    "web/src/pages/book/brand.rs",
    // Links that name a book by their secret, before a tenant is known.
    "web/src/pages/public/",
    // Which books stand above, and whose the numbers below are.
    "web/src/seller.rs",
    // How long usage waits in all books together, without saying whose.
    "web/src/metrics.rs",
    // Numbers are global: whose each is, and from when on, is known to the platform alone.
    "web/src/numbers_sold.rs",
];

pub fn unlisted_platform_callers(source: &Source) -> Vec<String> {
    if PLATFORM_CALLERS.iter().any(|place| source.path.starts_with(place)) {
        return Vec::new();
    }
    outside_tests(
        source,
        &[".platform("],
        "a look at all tenants; with a good reason, add the file to PLATFORM_CALLERS",
    )
}

/// A bug may stop the program, if the line says why it cannot happen.
pub fn unreasoned_stops(source: &Source) -> Vec<String> {
    let mut found =
        outside_tests(source, &[".unwrap()", ".unwrap_err()"], "an unwrap; use ? or an expect with its reason");
    for (at, call) in source.code.match_indices(".expect(") {
        if !source.is_test(at) && !has_reason(source, at + call.len()) {
            found.push(source.complaint(at, "an expect without a reason of two words or more"));
        }
    }
    found
}

fn has_reason(source: &Source, after: usize) -> bool {
    let argument = source.text[after..].trim_start();
    let quote = source.text.len() - argument.len();
    let literal = source.literals.iter().find(|(at, _)| *at == quote + 1);
    argument.starts_with('"') && literal.is_some_and(|(_, reason)| reason.split_whitespace().count() >= 2)
}

/// A test that is not run is not a test.
pub fn ignored_tests(source: &Source) -> Vec<String> {
    source.code.match_indices("#[ignore").map(|(at, _)| source.complaint(at, "an ignored test")).collect()
}

pub fn long_file(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    if !source.is_rust() || lines <= 400 {
        return Vec::new();
    }
    vec![format!("{}: {lines} lines; at most 400", source.path)]
}

/// A test may be one long table: its rows are its contract.
pub fn long_functions(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    for at in source.words("fn").filter(|at| !source.is_test(*at)) {
        let after = source.code[at + 2..].trim_start();
        // `fn(..)` is a type, not a function.
        if !after.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            continue;
        }
        if let Some((_, end)) = body_after(&source.code, at) {
            let lines = source.text[at..end].lines().count();
            if lines > 70 {
                let name: String = after.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                found.push(source.complaint(at, &format!("fn {name} has {lines} lines; at most 70")));
            }
        }
    }
    found
}

fn outside_tests(source: &Source, words: &[&str], what: &str) -> Vec<String> {
    let places = words.iter().flat_map(|word| source.words(word).map(move |at| (at, word)));
    places
        .filter(|(at, _)| !source.is_test(*at))
        .map(|(at, word)| source.complaint(at, &format!("{word}: {what}")))
        .collect()
}

#[cfg(test)]
mod samples {
    use super::*;

    type Rule = fn(&Source) -> Vec<String>;

    fn refuses(rule: Rule, path: &str, text: &str) {
        assert!(!rule(&Source::new(path, text)).is_empty(), "accepted in {path}: {text}");
    }

    fn accepts(rule: Rule, path: &str, text: &str) {
        assert_eq!(rule(&Source::new(path, text)), Vec::<String>::new(), "refused in {path}: {text}");
    }

    #[test]
    fn a_clock_read_outside_the_clock_is_refused() {
        for clock in
            ["Utc::now()", "SystemTime::now()", "Local::now()", "Zoned::now()", "Timestamp::now()", "x.map(Utc::now)"]
        {
            refuses(clock_reads, "crates/ledger/src/post.rs", &format!("fn f() {{ let now = {clock}; }}"));
            accepts(clock_reads, "web/src/clock.rs", &format!("fn f() {{ let now = {clock}; }}"));
            accepts(
                clock_reads,
                "crates/ledger/src/post.rs",
                &format!("// {clock} is for the roof\n#[cfg(test)]\nmod tests {{ fn f() {{ {clock}; }} }}"),
            );
        }
        accepts(clock_reads, "web/src/worker.rs", "let began = tokio::time::Instant::now();");
    }

    #[test]
    fn a_float_near_money_is_refused() {
        refuses(floats_near_money, "crates/money/src/lib.rs", "pub fn half(x: i64) -> f64 { 0.0 }");
        refuses(floats_near_money, "crates/pricing/src/proration.rs", "let a = b as f32;");
        accepts(floats_near_money, "crates/pricing/src/erlang.rs", "fn b(load: f64) {}");
        accepts(floats_near_money, "crates/sip-media/src/rtp.rs", "fn level(x: f64) {}");
        accepts(floats_near_money, "crates/money/src/lib.rs", "// never an f64\nlet of64 = \"f64\";");
    }

    #[test]
    fn the_mapper_outside_the_stores_is_refused() {
        refuses(mapper_outside_stores, "crates/tenant/src/member.rs", "use sea_orm::EntityTrait;");
        refuses(mapper_outside_stores, "web/src/pages/home.rs", "sqlx::query(\"\");");
        for place in [
            "crates/db/src/wall.rs",
            "crates/tenant/src/store.rs",
            "crates/tenant/src/store/seats.rs",
            "crates/tenant/src/entity.rs",
        ] {
            accepts(mapper_outside_stores, place, "use sea_orm::EntityTrait;");
        }
        accepts(mapper_outside_stores, "crates/tenant/tests/it/main.rs", "use sea_orm::EntityTrait;");
    }

    #[test]
    fn sql_outside_the_stores_is_refused() {
        for statement in [
            "SELECT 1",
            "INSERT INTO call VALUES ($1)",
            "UPDATE call SET a = 1",
            "DELETE FROM call",
            "WITH a AS (SELECT 1) SELECT * FROM a",
            "\n  SELECT id",
        ] {
            refuses(sql_outside_stores, "web/src/pages/calls.rs", &format!("let q = \"{statement}\";"));
            refuses(sql_outside_stores, "web/src/pages/calls.rs", &format!("let q = r#\"{statement}\"#;"));
            accepts(sql_outside_stores, "crates/tenant/src/store.rs", &format!("let q = \"{statement}\";"));
        }
        accepts(
            sql_outside_stores,
            "web/src/pages/calls.rs",
            "let t = \"Select a plan\"; // SELECT 1\nlet u = \"UPDATE\";",
        );
    }

    #[test]
    fn an_unlisted_look_at_all_tenants_is_refused() {
        refuses(
            unlisted_platform_callers,
            "crates/invoicing/src/run.rs",
            "let tx = db.platform(PlatformReason::Audit).await?;",
        );
        accepts(
            unlisted_platform_callers,
            "crates/db/src/wall.rs",
            "let tx = db.platform(PlatformReason::Audit).await?;",
        );
    }

    #[test]
    fn a_stop_without_a_reason_is_refused() {
        refuses(unreasoned_stops, "web/src/main.rs", "let a = b.unwrap();");
        refuses(unreasoned_stops, "web/src/main.rs", "let a = b.expect(\"\");");
        refuses(unreasoned_stops, "web/src/main.rs", "let a = b.expect(\"impossible\");");
        refuses(unreasoned_stops, "web/src/main.rs", "let a = b.expect(&text);");
        accepts(unreasoned_stops, "web/src/main.rs", "let a = b\n  .expect(\n    \"a plan has a version\",\n  );");
        accepts(
            unreasoned_stops,
            "web/src/main.rs",
            "fn f() {}\n#[cfg(test)]\nmod tests {\n fn g() { a.unwrap(); }\n}",
        );
        refuses(
            unreasoned_stops,
            "web/src/main.rs",
            "#[cfg(test)]\nmod tests {\n fn g() {}\n}\nfn f() { a.unwrap(); }",
        );
    }

    #[test]
    fn an_ignored_test_is_refused() {
        refuses(ignored_tests, "tests/a.rs", "#[ignore = \"slow\"]\nfn f() {}");
        accepts(ignored_tests, "tests/a.rs", "// #[ignore]\nfn f() {}");
    }

    #[test]
    fn a_file_of_401_lines_is_refused() {
        refuses(long_file, "web/src/main.rs", &"\n".repeat(401));
        accepts(long_file, "web/src/main.rs", &"\n".repeat(400));
        accepts(long_file, "web/static/app.css", &"\n".repeat(401));
    }

    #[test]
    fn a_function_of_71_lines_is_refused() {
        // `fn f() {` and `}` are two of the lines.
        refuses(long_functions, "web/src/main.rs", &format!("fn f() {{\n{}}}\n", "    let a = '}';\n".repeat(69)));
        accepts(long_functions, "web/src/main.rs", &format!("fn f() {{\n{}}}\n", "    let a = \"{\";\n".repeat(68)));
        accepts(
            long_functions,
            "web/src/main.rs",
            &format!("type F = fn(&'static str);\nmod m {{\n{}}}\n", "    // it's\n".repeat(90)),
        );
    }
}

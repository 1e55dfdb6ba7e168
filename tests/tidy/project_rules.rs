//! What no file of the project may say, and which crate may lean on which.

use super::source::Source;

/// Which crate stands on which floor. An arrow points to a lower floor only; two on one floor know nothing of each other.
const FLOORS: [(&str, u8); 15] = [
    ("money", 0),
    ("db", 0),
    ("sip-media", 0),
    ("pricing", 1),
    ("ledger", 1),
    ("tenant", 1),
    // Workspaces of their own, built by the fuzzer alone.
    ("pricing-fuzz", 2),
    ("sip-media-fuzz", 1),
    ("subscription", 2),
    ("usage-metering", 3),
    ("call-control", 4),
    ("invoicing", 4),
    ("payments", 5),
    ("ringtill", 6),
    // The manual looks at the whole house from outside.
    ("manual", 7),
];

fn floor(package: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == package).map(|(_, floor)| *floor)
}

/// The arrows of one Cargo.toml that point up or sideways, and packages that stand on no floor.
pub fn wrong_arrows(source: &Source) -> Vec<String> {
    if !source.path.ends_with("/Cargo.toml") {
        return Vec::new();
    }
    let (mut section, mut package, mut found) = (String::new(), String::new(), Vec::new());
    for line in source.text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned();
        } else if let Some((key, value)) = line.split_once('=') {
            if section == "package" && key.trim() == "name" {
                package = value.trim().trim_matches('"').to_owned();
            } else if section.ends_with("dependencies") {
                let dependency = key.trim().split('.').next().unwrap_or_default();
                found.extend(wrong_arrow(&source.path, &package, dependency));
            }
        }
    }
    if floor(&package).is_none() {
        found.push(format!("{}: {package} stands on no floor of the table", source.path));
    }
    found
}

fn wrong_arrow(path: &str, package: &str, dependency: &str) -> Option<String> {
    let (above, below) = (floor(package)?, floor(dependency)?);
    (below >= above).then(|| format!("{path}: {package} may not lean on {dependency}"))
}

/// Work that was put off. The words are put together here so that this file does not accuse itself.
pub fn unfinished_work(source: &Source) -> Vec<String> {
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("oming ", "soon"),
        concat!("ot yet ", "implemented"),
    ];
    anywhere(source, &marks, "work that was put off")
}

/// Names of the place where the project happens to be written, and hosts that a client knows by itself.
pub fn words_of_the_workplace(source: &Source) -> Vec<String> {
    let words = [
        concat!("../sha", "red"),
        concat!("/wo", "rk/"),
        concat!("/fa", "rm/"),
        concat!(".lib", "rary/"),
        concat!("DEVEL", "OPERS.md"),
        concat!("COMP", "ASS"),
        concat!("static.cra", "tes.io"),
        concat!("index.cra", "tes.io"),
        concat!("registry.np", "mjs"),
        concat!("files.python", "hosted"),
        concat!("deb.deb", "ian.org"),
    ];
    anywhere(source, &words, "a word of the workplace")
}

fn anywhere(source: &Source, words: &[&str], what: &str) -> Vec<String> {
    let places = words.iter().flat_map(|word| source.text.match_indices(word));
    places.map(|(at, word)| source.complaint(at, &format!("{word}: {what}"))).collect()
}

/// Where a stranger tries every route; what is not in it has not been tried.
pub const EVERY_ROUTE: &str = "tests/isolation/every_route.rs";

/// Routes of the web server that the isolation test does not walk. A route below a scope is known by its last part.
pub fn unwalked_routes(sources: &[Source]) -> Vec<String> {
    let Some(walk) = sources.iter().find(|source| source.path == EVERY_ROUTE) else { return Vec::new() };
    let walked: Vec<String> = walk.literals.iter().map(|(_, literal)| without_names(literal)).collect();
    let is_walked = |route: &str| {
        let route = without_names(route);
        walked.iter().any(|path| *path == route || path.ends_with(&format!("/{route}")))
    };
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| source.path.starts_with("web/src/")) {
        for (at, route) in routes(source) {
            if !source.is_test(at) && !is_walked(route) {
                found.push(source.complaint(at, &format!("{route} is not in {EVERY_ROUTE}")));
            }
        }
    }
    found
}

/// Paths given as a literal to the server's router.
fn routes(source: &Source) -> impl Iterator<Item = (usize, &str)> {
    let marks = [".route(", "resource(", "#[get(", "#[post(", "#[put(", "#[patch(", "#[delete("];
    let calls = marks.into_iter().flat_map(|mark| source.code.match_indices(mark).map(|(at, mark)| at + mark.len()));
    calls.filter_map(|after| {
        let argument = source.code[after..].trim_start();
        let inside = source.code.len() - argument.len() + 1;
        let literal = source.literals.iter().find(|(at, _)| argument.starts_with('"') && *at == inside);
        literal.map(|(at, path)| (*at, path.as_str()))
    })
}

/// `/admin/calls/{call_id}` and `admin/calls/{id}` are one path.
fn without_names(path: &str) -> String {
    let mut plain = String::new();
    let mut inside = false;
    for character in path.trim_matches('/').chars() {
        match character {
            '{' => inside = true,
            '}' => inside = false,
            _ if inside => continue,
            _ => {}
        }
        plain.push(character);
    }
    plain
}

#[cfg(test)]
mod samples {
    use super::*;

    fn manifest(package: &str, section: &str, dependency: &str) -> Source {
        let text =
            format!("[package]\nname = \"{package}\"\n\n[{section}]\n{dependency}.workspace = true\nserde = \"1\"\n");
        Source::new(&format!("crates/{package}/Cargo.toml"), &text)
    }

    #[test]
    fn an_arrow_that_points_up_or_sideways_is_refused() {
        for (package, dependency) in [
            ("money", "ledger"),
            ("ledger", "pricing"),
            ("invoicing", "call-control"),
            ("payments", "ringtill"),
            ("tenant", "tenant"),
        ] {
            assert_eq!(
                wrong_arrows(&manifest(package, "dependencies", dependency)).len(),
                1,
                "{package} > {dependency}"
            );
            assert_eq!(
                wrong_arrows(&manifest(package, "dev-dependencies", dependency)).len(),
                1,
                "{package} > {dependency}"
            );
        }
        for (package, dependency) in
            [("ledger", "money"), ("payments", "invoicing"), ("call-control", "sip-media"), ("manual", "ringtill")]
        {
            assert_eq!(wrong_arrows(&manifest(package, "dependencies", dependency)), Vec::<String>::new());
        }
        assert_eq!(wrong_arrows(&manifest("attic", "dependencies", "money")).len(), 1, "a crate on no floor");
    }

    #[test]
    fn work_that_was_put_off_is_refused() {
        for mark in ["TO", "FIX"].iter().zip(["DO", "ME"]).map(|(a, b)| format!("{a}{b}")) {
            assert_eq!(
                unfinished_work(&Source::new("web/templates/home.html", &format!("<!-- {mark} later -->"))).len(),
                1
            );
        }
        assert_eq!(unfinished_work(&Source::new("web/src/a.rs", &format!("{}!()", "todo"))).len(), 1);
        assert_eq!(unfinished_work(&Source::new("web/src/a.rs", "// all done")), Vec::<String>::new());
    }

    #[test]
    fn a_word_of_the_workplace_is_refused() {
        for word in
            [["../sha", "red/x"], ["/wo", "rk/main"], ["https://registry.np", "mjs.org"]].map(|halves| halves.concat())
        {
            assert_eq!(words_of_the_workplace(&Source::new("README.md", &format!("see {word}"))).len(), 1, "{word}");
        }
        assert_eq!(words_of_the_workplace(&Source::new("README.md", "a workplace, shared work")), Vec::<String>::new());
    }

    #[test]
    fn a_route_that_no_stranger_has_tried_is_refused() {
        let web = |route: &str| {
            let text = format!("fn r(c: &mut C) {{ c.route({route}, get()); c.service(web::resource( {route} )); }}");
            Source::new("web/src/pages/mod.rs", &text)
        };
        let walk = || Source::new(EVERY_ROUTE, "const ALL: [&str; 2] = [\"/admin/calls\", \"/admin/calls/{id}/end\"];");
        assert_eq!(unwalked_routes(&[walk(), web("\"/admin/invoices\"")]).len(), 2);
        assert_eq!(unwalked_routes(&[walk(), web("\"/calls/{call_id}\"")]).len(), 2);
        for known in ["\"/admin/calls\"", "\"/calls/{call_id}/end\"", "\"calls\""] {
            assert_eq!(unwalked_routes(&[walk(), web(known)]), Vec::<String>::new(), "{known}");
        }
        let attribute = Source::new("web/src/pages/home.rs", "#[get(\"/home\")]\nasync fn home() {}");
        assert_eq!(unwalked_routes(&[walk(), attribute]).len(), 1);
    }
}

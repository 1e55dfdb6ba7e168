//! The house's rules that a machine can check. Each rule names the file, the line and the remedy.
//! Start at the tests below; the rules with their samples are in `code_rules.rs` and `project_rules.rs`.

mod code_rules;
mod project_rules;
mod source;

use source::Source;

/// Every file of the project obeys the rule. An empty walk would obey everything, so it is refused.
fn obeyed(rule: fn(&Source) -> Vec<String>) {
    let sources = source::all();
    assert!(sources.iter().filter(|source| source.is_rust()).count() > 20, "the walk found the project's files");
    let broken: Vec<String> = sources.iter().flat_map(rule).collect();
    assert!(broken.is_empty(), "{} places:\n{}", broken.len(), broken.join("\n"));
}

#[test]
fn only_the_clock_reads_the_clock() {
    obeyed(code_rules::clock_reads);
}

#[test]
fn no_float_stands_near_money() {
    obeyed(code_rules::floats_near_money);
}

#[test]
fn only_stores_know_the_mapper() {
    obeyed(code_rules::mapper_outside_stores);
}

#[test]
fn only_stores_speak_sql() {
    obeyed(code_rules::sql_outside_stores);
}

#[test]
fn only_the_listed_look_at_all_tenants() {
    obeyed(code_rules::unlisted_platform_callers);
}

#[test]
fn every_stop_has_its_reason() {
    obeyed(code_rules::unreasoned_stops);
}

#[test]
fn no_test_is_ignored() {
    obeyed(code_rules::ignored_tests);
}

#[test]
fn no_file_is_too_long_to_know() {
    obeyed(code_rules::long_file);
}

#[test]
fn no_function_is_too_long_to_read() {
    obeyed(code_rules::long_functions);
}

#[test]
fn every_arrow_points_down() {
    obeyed(project_rules::wrong_arrows);
}

#[test]
fn no_work_is_put_off_in_a_comment() {
    obeyed(project_rules::unfinished_work);
}

#[test]
fn no_word_of_the_workplace_is_left() {
    obeyed(project_rules::words_of_the_workplace);
}

#[test]
fn every_route_has_been_tried_by_a_stranger() {
    let left_out = project_rules::unwalked_routes(&source::all());
    assert!(left_out.is_empty(), "{} routes:\n{}", left_out.len(), left_out.join("\n"));
}

//! The repository, held to its rules. A failure names each place.

use std::sync::LazyLock;

use tidy::commands::CommandLine;
use tidy::sizes::Kind;
use tidy::{
    Repository, SourceFile, Violation, assert_none, documents, modules, names, packages, prose, purity,
    sizes, structure,
};

static REPOSITORY: LazyLock<Repository> = LazyLock::new(Repository::read);

fn rust(rule: impl Fn(&SourceFile) -> Vec<Violation>) -> Vec<Violation> {
    REPOSITORY.rust().flat_map(rule).collect()
}

fn sizes_of(kind: Kind) -> Vec<Violation> {
    rust(|file| {
        sizes::violations(file).into_iter().filter(|found| found.0 == kind).map(|found| found.1).collect()
    })
}

#[test]
fn the_repository_is_found() {
    assert!(REPOSITORY.rust().count() > 100, "only {} Rust files", REPOSITORY.rust().count());
    assert!(REPOSITORY.file("Cargo.toml").is_some());
}

#[test]
fn files_have_at_most_600_lines() {
    assert_none(rust(|file| sizes::long_file(file).into_iter().collect()));
}

#[test]
fn functions_have_at_most_70_lines() {
    assert_none(sizes_of(Kind::Function));
}

#[test]
fn functions_have_at_most_6_parameters() {
    assert_none(sizes_of(Kind::Parameters));
}

#[test]
fn errors_have_at_most_25_variants() {
    assert_none(sizes_of(Kind::Error));
}

#[test]
fn structs_have_at_most_20_fields() {
    assert_none(sizes_of(Kind::Struct));
}

#[test]
fn names_say_what_a_thing_is() {
    assert_none(rust(names::violations));
}

#[test]
fn the_core_has_no_clock_file_socket_thread_lock_or_chance() {
    assert_none(rust(purity::violations));
}

#[test]
fn the_core_depends_on_nothing_that_does_io() {
    assert_none(packages::impure(&packages::manifests(&REPOSITORY)));
}

#[test]
fn functions_of_the_specification_link_to_it() {
    assert_none(rust(structure::unlinked));
}

#[test]
fn containers_have_no_type_parameters() {
    assert_none(rust(structure::generic_containers));
}

#[test]
fn the_core_hands_out_no_closures() {
    assert_none(rust(structure::closures));
}

#[test]
fn queues_have_a_bound() {
    assert_none(rust(structure::unbounded));
}

#[test]
fn packages_depend_downwards_only() {
    let levels = packages::levels(&REPOSITORY.must("ARCHITECTURE.md").text);
    assert_none(packages::upward(&packages::manifests(&REPOSITORY), &levels));
}

#[test]
fn every_dependency_is_used() {
    assert_none(packages::unused(&REPOSITORY, &packages::manifests(&REPOSITORY)));
}

#[test]
fn every_file_belongs_to_a_module() {
    assert_none(modules::orphans(&REPOSITORY));
}

#[test]
fn open_ends_carry_a_note() {
    assert_none(REPOSITORY.files.iter().flat_map(prose::open_ends).collect());
}

#[test]
fn no_file_speaks_of_one_machine() {
    assert_none(REPOSITORY.files.iter().flat_map(prose::machine_paths).collect());
}

#[test]
fn no_file_cites_a_tracker() {
    let prose_files = REPOSITORY.files.iter().filter(|file| !file.path.ends_with("package-lock.json"));
    assert_none(prose_files.flat_map(prose::tracker_numbers).collect());
}

#[test]
fn every_invariant_is_guarded_by_a_test_that_exists() {
    assert!(documents::invariants(REPOSITORY.must("ARCHITECTURE.md")).len() >= 10);
    assert_none(documents::unguarded(&REPOSITORY));
}

#[test]
fn the_readme_promises_only_commands_that_exist() {
    let command_line = CommandLine::read(&REPOSITORY);
    let files = ["README.md", "ARCHITECTURE.md"].map(|path| REPOSITORY.must(path));
    assert_none(files.iter().flat_map(|file| documents::unknown_commands(file, &command_line)).collect());
}

#[test]
fn the_readme_lists_every_command() {
    let command_line = CommandLine::read(&REPOSITORY);
    assert!(!command_line.commands().is_empty());
    assert_none(documents::unlisted_commands(REPOSITORY.must("README.md"), &command_line));
}

#[test]
fn ci_runs_what_the_readme_promises() {
    let ci = REPOSITORY.must(".ci/run");
    let promised = documents::promised(REPOSITORY.must("README.md"));
    assert!(promised.len() >= 2, "the README names a run command and a test command");
    for command in promised {
        assert!(ci.text.lines().any(|line| line.trim() == command), ".ci/run does not run `{command}`");
    }
}

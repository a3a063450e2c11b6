//! Help teaches; it does not change unnoticed.

use crate::world::World;

/// The commands that this help lists.
fn listed(help: &str) -> Vec<&str> {
    help.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help" && *name != "bench")
        .collect()
}

#[test]
fn every_command_explains_itself() {
    let world = World::start();
    let overview = world.run(&["--help"]).stdout;
    let commands = listed(&overview);
    assert!(commands.len() >= 16, "{commands:?}");
    let mut all = overview.clone();
    let mut explain = |path: &[&str]| {
        let ended = world.run(&[path, &["--help"]].concat());
        assert_eq!(ended.code, Some(0));
        let name = path.join(" ");
        // Who only lists others leaves the examples to them.
        let is_list = !listed(&ended.stdout).is_empty();
        assert!(is_list || ended.stdout.contains("Example"), "{name} --help has no example");
        all.push_str(&format!("\n======== tidings {name} --help\n\n{}", ended.stdout));
        ended.stdout
    };
    for name in commands {
        let help = explain(&[name]);
        for below in listed(&help) {
            explain(&[name, below]);
        }
    }
    insta::assert_snapshot!(all);
}

#[test]
fn the_example_settings_are_settings() {
    let world = World::start();
    let ended = world.run(&["serve", "--example-config"]);
    assert!(ended.code == Some(0) && ended.stdout.contains("listen"), "{ended:?}");
}

//! Help teaches; it does not change unnoticed.

use crate::world::World;

#[test]
fn every_command_explains_itself() {
    let world = World::start();
    let overview = world.run(&["--help"]).stdout;
    let commands: Vec<&str> = overview
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help" && *name != "bench")
        .collect();
    assert!(commands.len() >= 16, "{commands:?}");
    let mut all = overview.clone();
    for name in commands {
        let ended = world.run(&[name, "--help"]);
        assert_eq!(ended.code, Some(0));
        assert!(ended.stdout.contains("Example"), "{name} --help has no example");
        all.push_str(&format!("\n======== tidings {name} --help\n\n{}", ended.stdout));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn the_example_settings_are_settings() {
    let world = World::start();
    let ended = world.run(&["serve", "--example-config"]);
    assert!(ended.code == Some(0) && ended.stdout.contains("listen"), "{ended:?}");
}

//! One world: a server, some people with their devices, and everything that happens to them.
//!
//! A world is first wild (`steps` random actions with faults of every kind), then it is healed and must come to rest:
//! from then on every promise can be checked exactly. Cheap promises are checked all the time.

use crate::clock::WallClock;
use crate::device::Device;
use crate::entropy::{Chance, seed_this_thread};
use crate::intent::Intent;
use crate::laptop::{self, Laptop};
use crate::model::{Block, Model, Who};
use crate::properties;
use crate::server::Machine;
use crate::signup::Stage;
use crate::story::{self, Story};
use crate::{action, rollback, signup};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use tidings_client::{ClientError, Reply};
use tidings_proto::entry::Sender;
use tidings_server::Config;
use tokio::task::LocalSet;
use tokio::time::sleep;

/// How long a healed world may take to come to rest.
const REST_TIMEOUT: Duration = Duration::from_secs(900);

/// Who wrote what before a server's restart learns in the next plan who has it: at rest everybody comes anew at times.
const RECONNECT_EVERY: Duration = Duration::from_secs(120);

#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub seed: u64,
    pub steps: u64,
    /// Print the story while it happens.
    pub aloud: bool,
}

/// How a world ended.
#[derive(Debug)]
pub struct Outcome {
    pub seed: u64,
    /// What broke, if anything.
    pub violation: Option<String>,
    pub last_lines: Vec<String>,
    /// Lines of the story, and a hash of them.
    pub fingerprint: (u64, u64),
    pub operations: usize,
}

impl Outcome {
    /// For people: what broke, what happened before, and how to see it again.
    pub fn report(&self, steps: u64, with_story: bool) -> String {
        let Some(violation) = &self.violation else { return format!("world {} kept every promise", self.seed) };
        let story = if with_story { self.last_lines.join("\n") + "\n" } else { String::new() };
        let again = format!("cargo xtask sim --seeds 1 --seed {} --steps {steps}", self.seed);
        format!("{story}world {}: {violation}\nrepeat it with: {again}", self.seed)
    }
}

/// What varies from seed to seed beyond the dice.
pub struct Traits {
    pub people: usize,
    pub retention_days: u32,
    /// Whether the world lets so much time pass that entries expire.
    pub passes_retention: bool,
    /// How rough the network and the machines are, in percent of steps.
    pub fault_percent: u64,
    /// Whether people make groups.
    pub groups: bool,
    /// Whose device talks the protocol as it likes, in groups.
    pub evil: Option<Who>,
    /// Whether people have laptops beside their phones.
    pub laptops: bool,
    pub participants_max: usize,
}

pub struct World {
    pub settings: Settings,
    pub traits: Traits,
    pub chance: Chance,
    pub story: Story,
    pub clock: WallClock,
    pub server: Machine,
    pub model: RefCell<Model>,
    pub stages: RefCell<Vec<Stage>>,
    /// The present device of each person.
    pub devices: RefCell<Vec<Option<Rc<Device>>>>,
    /// The second device of each person, if there is one.
    pub laptops: RefCell<Vec<Option<Laptop>>>,
    /// Devices that were logged out because they had been put back to an older copy of themselves.
    pub logged_out: RefCell<Vec<Rc<Device>>>,
    pub shadow: RefCell<properties::log::Shadow>,
    /// One look into the logs at a time.
    pub looking: tokio::sync::Mutex<()>,
}

/// Runs one world on a thread of its own, so that its randomness is its own too.
pub fn run(settings: Settings) -> Outcome {
    let story = Story::new(settings.aloud);
    let in_thread = story.clone();
    let thread = std::thread::Builder::new().name(format!("world {}", settings.seed)).stack_size(16 << 20);
    let world = thread.spawn(move || {
        seed_this_thread(settings.seed);
        story::catch_panics(&in_thread);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime without IO always starts");
        LocalSet::new().block_on(&runtime, live(settings, in_thread))
    });
    let operations = world.expect("the machine has a thread").join().unwrap_or(0);
    Outcome {
        seed: settings.seed,
        violation: story.violation(),
        last_lines: story.last_lines(),
        fingerprint: story.fingerprint(),
        operations,
    }
}

async fn live(settings: Settings, story: Story) -> usize {
    let world = World::build(settings, story);
    world.server.start().await;
    properties::log::watch(&world);
    for _ in 0..settings.steps {
        action::step(&world).await;
        if world.over() {
            break;
        }
    }
    if !world.over() {
        rest(&world).await;
    }
    let operations = world.model.borrow().ops.len();
    // Devices know the world, and the world its devices.
    world.devices.borrow_mut().clear();
    world.laptops.borrow_mut().clear();
    operations
}

/// Heals everything, and waits until every promise holds.
async fn rest(world: &Rc<World>) {
    world.story.tell("the world heals");
    action::heal(world).await;
    let begin = tokio::time::Instant::now();
    let mut last_cut = begin;
    loop {
        sleep(Duration::from_secs(5)).await;
        if last_cut.elapsed() > RECONNECT_EVERY {
            last_cut = tokio::time::Instant::now();
            action::reconnect(world);
        }
        signup::tend(world);
        laptop::tend(world);
        rollback::tend(world);
        properties::check_always(world).await;
        if world.over() {
            return;
        }
        match properties::check_rest(world).await {
            Ok(()) => return world.story.tell("all promises hold"),
            Err(what) if begin.elapsed() > REST_TIMEOUT => return world.story.violate(format!("at rest: {what}")),
            Err(_) => {}
        }
    }
}

impl World {
    fn build(settings: Settings, story: Story) -> Rc<Self> {
        let chance = Chance::new(settings.seed, 0);
        let groups = chance.percent(65);
        let people = if groups { chance.between(3..=6) } else { chance.between(2..=5) } as usize;
        let traits = Traits {
            people,
            groups,
            laptops: chance.percent(40),
            evil: (groups && chance.percent(30)).then(|| chance.index(people)),
            participants_max: if chance.percent(30) {
                chance.between(3..=people.max(3) as u64) as usize
            } else {
                1_024
            },
            retention_days: 2,
            passes_retention: chance.percent(15),
            fault_percent: *chance.choose(&[0, 10, 25, 40]).expect("it is not empty"),
        };
        let clock = WallClock::started();
        let mut config = Config { retention_days: traits.retention_days, ..Config::default() };
        config.group.participants_max = traits.participants_max;
        // The limits on codes and addresses have tests of their own; here all people share one address.
        let limits = &mut config.limits;
        limits.codes_per_number_per_hour = 10_000;
        limits.codes_per_address_per_hour = 100_000;
        limits.codes_per_minute = 10_000;
        limits.logins_per_address_per_hour = 100_000;
        limits.requests_per_address_per_s = 10_000;
        let server = Machine::new(config, clock.sibling(0), &chance, story.clone());
        Rc::new(Self {
            settings,
            traits,
            story,
            clock,
            server,
            model: RefCell::new(Model::new(people)),
            stages: RefCell::new(vec![Stage::Out; people]),
            devices: RefCell::new(vec![None; people]),
            laptops: RefCell::new(vec![None; people]),
            logged_out: RefCell::default(),
            shadow: RefCell::default(),
            looking: tokio::sync::Mutex::default(),
            chance,
        })
    }

    /// A device's own name in the protocol, and those of the others.
    pub fn devices_for(&self, device: &Device) -> (Option<Sender>, Vec<Sender>) {
        let model = self.model.borrow();
        let sender = |who: Who| {
            let person = &model.people[who];
            Some(Sender { account: person.account?, device: person.device()? })
        };
        (sender(device.who), (0..model.people.len()).filter(|who| *who != device.who).filter_map(sender).collect())
    }

    /// Whether an entry comes from the one who talks as they like.
    pub fn is_evil(&self, log: &properties::log::ShadowLog, seq: u64) -> bool {
        let account = self.traits.evil.and_then(|who| self.model.borrow().people[who].account);
        log.entries.get(&seq).is_some_and(|(entry, _)| Some(entry.sender.account) == account)
    }

    pub fn over(&self) -> bool {
        self.story.violation().is_some()
    }

    /// Dice of their own for one thing, so that what happens to it does not change another's luck.
    pub fn chance_of(&self, stream: u64) -> Chance {
        Chance::new(self.settings.seed, stream)
    }

    pub fn spawn(&self, work: impl Future<Output = ()> + 'static) {
        tokio::task::spawn_local(work);
    }

    pub fn device(&self, who: Who) -> Option<Rc<Device>> {
        self.devices.borrow()[who].clone()
    }

    /// All devices, whatever their state.
    pub fn machines(&self) -> Vec<Rc<Device>> {
        let first = self.devices.borrow().iter().flatten().cloned().collect::<Vec<_>>();
        let laptops = self.laptops.borrow();
        first.into_iter().chain(laptops.iter().flatten().map(|laptop| laptop.device.clone())).collect()
    }

    /// Every device that runs and is logged in, the laptops last.
    pub fn active(&self) -> Vec<Rc<Device>> {
        let mut active = self.present();
        let laptops = self.laptops.borrow();
        let used = laptops.iter().flatten().filter(|laptop| laptop.stage == laptop::Stage::In && laptop.device.runs());
        active.extend(used.map(|laptop| laptop.device.clone()));
        active
    }

    /// The people whose device runs and is logged in.
    pub fn present(&self) -> Vec<Rc<Device>> {
        let stages = self.stages.borrow();
        let devices = self.devices.borrow();
        let present = (0..self.traits.people).filter(|who| stages[*who] == Stage::In);
        present.filter_map(|who| devices[who].clone()).filter(|device| device.runs()).collect()
    }

    /// A command was answered.
    pub fn answered(self: &Rc<Self>, device: &Rc<Device>, intent: Intent, result: Result<Reply, ClientError>) {
        if let Err(ClientError::Database { detail }) = &result {
            self.story.violate(format!("{}'s database failed: {detail}", device.name()));
        }
        let mut model = self.model.borrow_mut();
        match (intent, result) {
            (Intent::Do(op), Ok(Reply::Queued { message, .. })) => {
                if let Err(what) = model.queued(message, op) {
                    self.story.violate(what);
                }
            }
            (Intent::MarkRead { conversation, seq }, Ok(_)) => {
                let person = &mut model.people[device.who];
                raise(person.marked.entry(conversation).or_default(), seq);
                if !person.lives[device.life].ended {
                    raise(person.marked_in_this_life.entry(conversation).or_default(), seq);
                }
            }
            (Intent::Group { group: Some(group), .. }, Ok(Reply::Invite { token, key })) => {
                model.group(group).invites.push((token, key));
            }
            (Intent::Group { .. }, Ok(Reply::Conversation { conversation, .. })) => {
                model.group(conversation);
            }
            (Intent::Block(who), Ok(_)) => {
                drop(model);
                properties::log::note_block(self, device.who, who);
            }
            (Intent::Block(who), Err(_)) => {
                model.people[device.who].blocks.insert(who, Block::Unknown);
            }
            (Intent::Unblock(who), Ok(_)) => {
                // Answers come in the order of the commands: a block that was asked for since holds after it.
                let blocks = &mut model.people[device.who].blocks;
                if !matches!(blocks.get(&who), Some(Block::Asked)) {
                    blocks.remove(&who);
                }
            }
            (intent @ (Intent::Register | Intent::Login), result) => {
                drop(model);
                signup::answered(self, device, &intent, result);
            }
            (intent @ (Intent::Link | Intent::Approve | Intent::Revoke), result) => {
                drop(model);
                laptop::answered(self, device, &intent, result);
            }
            (Intent::Do(op), Err(error)) => {
                drop(model);
                properties::check_refusal(self, &op, &error);
            }
            _ => {}
        }
    }

    /// A crash took the reply: nobody knows what became of the command.
    pub fn swallowed(&self, device: &Device, intent: Intent) {
        let mut model = self.model.borrow_mut();
        match intent {
            Intent::Do(op) => model.swallowed.push(op),
            Intent::MarkRead { conversation, seq } => {
                raise(model.people[device.who].marked.entry(conversation).or_default(), seq);
            }
            Intent::Block(who) | Intent::Unblock(who) => {
                model.people[device.who].blocks.insert(who, Block::Unknown);
            }
            Intent::Register | Intent::Login => self.stages.borrow_mut()[device.who] = Stage::Unknown,
            Intent::Typing
            | Intent::Group { .. }
            | Intent::Ask(_)
            | Intent::Link
            | Intent::Approve
            | Intent::Revoke => {}
        }
    }

    /// A device says that it is logged out, which must only happen to one that was replaced.
    pub fn was_logged_out(&self, device: &Rc<Device>, reason: &str) {
        let model = self.model.borrow();
        let Some(life) = model.people[device.who].lives.get(device.life).filter(|life| !life.ended) else { return };
        if life.may_be_logged_out {
            self.logged_out.borrow_mut().push(device.clone());
        } else {
            self.story.violate(format!("{} was logged out for no reason of the world's: {reason}", device.name()));
        }
    }
}

pub fn raise(seq: &mut u64, to: u64) {
    *seq = to.max(*seq);
}

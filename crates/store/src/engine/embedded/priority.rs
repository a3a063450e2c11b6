//! The writer's place in the machine's schedule.

/// Asks for a place before the other threads: on a busy machine an fsync of 0.2 ms otherwise takes the 4 ms until the
/// scheduler gets round to the writer. It needs a right that not every installation has (CAP_SYS_NICE, LimitRTPRIO).
pub fn raise() {
    if let Err(error) = try_raise() {
        tracing::debug!(?error, "the writer runs at the usual priority");
    }
}

#[cfg(unix)]
fn try_raise() -> Result<(), thread_priority::Error> {
    use thread_priority::{RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy};
    // Of 1 to 99; any of them comes before all usual threads.
    let priority = 10_u8.try_into().expect("it is in the range");
    thread_priority::set_thread_priority_and_policy(
        thread_priority::thread_native_id(),
        ThreadPriority::Crossplatform(priority),
        ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::RoundRobin),
    )
}

#[cfg(not(unix))]
fn try_raise() -> Result<(), thread_priority::Error> {
    thread_priority::set_current_thread_priority(thread_priority::ThreadPriority::Max)
}

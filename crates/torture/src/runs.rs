//! Runs that are killed, stopped, damaged, started twice: they go on to the same bytes, or say why not.

mod damage;
mod disk;
mod divergence;
mod endurance;
mod injected;
mod kills;
mod lab;
mod owners;
mod refusals;
mod signals;
mod strace;
mod threads;

pub(crate) use self::{
    damage::EXPERIMENT as DAMAGE, disk::EXPERIMENT as DISK, divergence::EXPERIMENT as DIVERGENCE, endurance::EPOCHS,
    endurance::RESUMES, injected::EXPERIMENT as INJECTED, kills::EXPERIMENT as KILLS, owners::EXPERIMENT as OWNERS,
    refusals::EXPERIMENT as REFUSALS, signals::EXPERIMENT as SIGNALS, threads::EXPERIMENT as THREADS,
};

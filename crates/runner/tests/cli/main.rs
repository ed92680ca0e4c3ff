//! The real binary, as a person runs it, on real images.

mod backends;
mod commands;
mod failures;
mod figures;
mod references;
mod resume;
mod runs;
mod scratch;
mod seeds;
mod suite;
mod sweeps;
mod threads;
mod transfer;

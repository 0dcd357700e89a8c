//! Settings of the generator.

use clap::Args;

/// Settings of the generator.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Generator")]
pub struct GeneratorConfig {
    /// Make orders with --brokers too; with the embedded broker they are made anyway
    #[arg(long, env = "PIPELINE_GENERATE")]
    pub generate: bool,

    /// Orders made in a second; 0 makes none
    #[arg(
        long,
        env = "PIPELINE_RATE",
        value_name = "ORDERS",
        default_value_t = 500,
        value_parser = clap::value_parser!(u32).range(..=1_000_000),
    )]
    pub rate: u32,

    /// How many of a hundred orders are bad
    #[arg(
        long,
        env = "PIPELINE_BAD_PERCENT",
        value_name = "PERCENT",
        default_value_t = 4,
        value_parser = clap::value_parser!(u8).range(..=100),
    )]
    pub bad_percent: u8,

    /// With the embedded broker, the generator pauses while this many orders are not yet consumed: it drops what exceeds
    /// 5 MB a partition
    #[arg(
        long,
        env = "PIPELINE_MAX_LAG",
        value_name = "ORDERS",
        default_value_t = 10_000,
        value_parser = clap::value_parser!(u64).range(1..=20_000),
    )]
    pub max_lag: u64,
}

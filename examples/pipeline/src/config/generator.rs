//! Settings of the generator.

use clap::Args;

/// Settings of the generator.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Generator")]
pub struct GeneratorConfig {
    /// Generate orders with --brokers too; with the embedded broker they are always generated
    #[arg(long, env = "PIPELINE_GENERATE")]
    pub generate: bool,

    /// Orders per second; 0 generates none
    #[arg(
        long,
        env = "PIPELINE_RATE",
        value_name = "ORDERS",
        default_value_t = 500,
        value_parser = clap::value_parser!(u32).range(..=1_000_000),
    )]
    pub rate: u32,

    /// Percentage of bad orders
    #[arg(
        long,
        env = "PIPELINE_BAD_PERCENT",
        value_name = "PERCENT",
        default_value_t = 4,
        value_parser = clap::value_parser!(u8).range(..=100),
    )]
    pub bad_percent: u8,

    /// With the embedded broker, which drops what exceeds 5 MB a partition, the generator pauses
    /// while this many orders are not consumed
    #[arg(
        long,
        env = "PIPELINE_MAX_LAG",
        value_name = "ORDERS",
        default_value_t = 10_000,
        value_parser = clap::value_parser!(u64).range(1..=20_000),
    )]
    pub max_lag: u64,
}

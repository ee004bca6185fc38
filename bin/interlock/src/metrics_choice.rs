//! Options for metrics, the same for all processes that have some but for the port.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use clap::Args;
use exporter::ExporterConfig;

/// Whether and where Prometheus reads metrics.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Metrics")]
pub struct MetricsChoice<const PORT: u16> {
    /// Serve metrics for Prometheus at /metrics, on an address of their own.
    #[arg(long)]
    metrics: bool,
    /// Where metrics are served.
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST), requires = "metrics")]
    metrics_address: IpAddr,
    /// Port of metrics; 0 takes any free one.
    #[arg(long, value_name = "PORT", default_value_t = PORT, requires = "metrics")]
    metrics_port: u16,
    /// Let web pages of any origin read them, such as the dashboard of a beacon node.
    #[arg(long, requires = "metrics")]
    metrics_allow_any_origin: bool,
}

impl<const PORT: u16> MetricsChoice<PORT> {
    /// What was chosen; none where metrics are not served.
    pub fn config(self) -> Option<ExporterConfig> {
        let address = SocketAddr::new(self.metrics_address, self.metrics_port);
        self.metrics.then_some(ExporterConfig { address, allow_any_origin: self.metrics_allow_any_origin })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        metrics: MetricsChoice<5054>,
    }

    #[test]
    fn metrics_are_served_where_they_are_asked_for_on_loopback() {
        let config = |line: &str| Line::try_parse_from(line.split(' ')).map(|line| line.metrics.config());
        assert_eq!(config("x").unwrap(), None);
        let found = config("x --metrics").unwrap().unwrap();
        assert_eq!((found.address.to_string().as_str(), found.allow_any_origin), ("127.0.0.1:5054", false));
        let found = config("x --metrics --metrics-address 0.0.0.0 --metrics-port 8008").unwrap().unwrap();
        assert_eq!(found.address.to_string(), "0.0.0.0:8008");
        assert!(config("x --metrics-port 8008").is_err(), "a port alone serves nothing");
    }
}

//! What several ops in a row show.
use crate::hosts::Hosts;
use crate::report::Report;
pub(crate) fn run(_hosts: &Hosts, _only: Option<&str>, _report: &Report) {}

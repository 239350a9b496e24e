//! Key policies: a subset of AWS's policy language, the template, and what a policy lets through.
//!
//! `docs/spec/key-policy.md` says what the subset is. What stands outside it is refused, because
//! a policy that is accepted and half ignored would look stricter than it is.

mod check;
mod command;
mod condition;
mod document;
mod evaluate;
mod json;
mod pattern;
mod template;

pub(crate) use command::{CheckOptions, TemplateOptions, check, print_template};
pub(crate) use document::Policy;
pub(crate) use evaluate::{Decision, Request};
pub(crate) use template::template;

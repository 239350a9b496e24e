//! Values of conditions: wildcards, policy variables, and how they match.

use super::{condition::known_key, document::Malformed, evaluate::Request};

/// A value as the policy spells it.
#[derive(Debug)]
pub(super) struct Pattern(Vec<Part>);

#[derive(Debug)]
enum Part {
    Literal(char),
    Any,
    One,
    /// A condition key, in small letters.
    Variable(String),
}

/// What is left once the variables stand for values of a request.
enum Step {
    Literal(char),
    Any,
    One,
}

impl Pattern {
    /// Reads a value. `*` and `?` are wildcards where the operator has them; `${*}`, `${?}` and
    /// `${$}` never are.
    ///
    /// # Errors
    /// [`Malformed`] for a variable that is not closed, has a default, or that no request has.
    pub(super) fn parse(text: &str, wildcards: bool) -> Result<Self, Malformed> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if let Some(inside) = rest.strip_prefix("${") {
                let (name, after) = inside.split_once('}').ok_or(Malformed("a policy variable is not closed"))?;
                parts.push(match name {
                    "*" => Part::Literal('*'),
                    "?" => Part::Literal('?'),
                    "$" => Part::Literal('$'),
                    key => Part::Variable(variable(key)?),
                });
                rest = after;
                continue;
            }
            parts.push(match first {
                '*' if wildcards => Part::Any,
                '?' if wildcards => Part::One,
                letter => Part::Literal(letter),
            });
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
        }
        Ok(Self(parts))
    }

    /// Whether a value of the request matches. A variable that the request has no value for
    /// matches nothing; what a variable stands for is taken letter by letter.
    pub(super) fn matches(&self, value: &str, request: &Request) -> bool {
        let mut steps = Vec::new();
        for part in &self.0 {
            match part {
                Part::Literal(letter) => steps.push(Step::Literal(*letter)),
                Part::Any => steps.push(Step::Any),
                Part::One => steps.push(Step::One),
                Part::Variable(key) => match request.single(key) {
                    Some(value) => steps.extend(value.chars().map(Step::Literal)),
                    None => return false,
                },
            }
        }
        run(&steps, &value.chars().collect::<Vec<_>>())
    }

    /// Whether it has a wildcard.
    pub(super) fn is_open(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Any | Part::One))
    }

    /// A value that matches it, for probing; `None` if a variable decides.
    pub(super) fn example(&self) -> Option<String> {
        let letter = |part: &Part| match part {
            Part::Literal(letter) => Some(Some(*letter)),
            Part::Any => Some(None),
            Part::One => Some(Some('x')),
            Part::Variable(_) => None,
        };
        self.0.iter().map(letter).collect::<Option<Vec<_>>>().map(|all| all.into_iter().flatten().collect())
    }
}

/// Matches an action: wildcards, any case.
pub(super) fn action_matches(pattern: &str, action: &str) -> bool {
    let step = |letter: char| match letter {
        '*' => Step::Any,
        '?' => Step::One,
        letter => Step::Literal(letter.to_ascii_lowercase()),
    };
    let steps: Vec<Step> = pattern.chars().map(step).collect();
    run(&steps, &action.to_ascii_lowercase().chars().collect::<Vec<_>>())
}

fn variable(key: &str) -> Result<String, Malformed> {
    let key = key.to_ascii_lowercase();
    match known_key(&key) {
        Some(false) => Ok(key),
        Some(true) => Err(Malformed("a key with several values can't be a policy variable")),
        None => Err(Malformed("a policy variable is outside the subset")),
    }
}

/// Wildcards with one place to come back to: time grows with the product of both lengths at most.
fn run(steps: &[Step], value: &[char]) -> bool {
    let (mut at, mut from) = (0_usize, 0_usize);
    let mut back: Option<(usize, usize)> = None;
    while let Some(&letter) = value.get(from) {
        match steps.get(at) {
            Some(Step::Any) => {
                back = Some((at.saturating_add(1), from));
                at = at.saturating_add(1);
            }
            Some(Step::One) => (at, from) = (at.saturating_add(1), from.saturating_add(1)),
            Some(Step::Literal(wanted)) if *wanted == letter => {
                (at, from) = (at.saturating_add(1), from.saturating_add(1));
            }
            _ => {
                let Some((after, taken)) = back else { return false };
                let taken = taken.saturating_add(1);
                back = Some((after, taken));
                (at, from) = (after, taken);
            }
        }
    }
    steps.iter().skip(at).all(|step| matches!(step, Step::Any))
}

//! A sorted map of byte strings whose code is small, which wasm pays for by the kilobyte: std's
//! B-tree costs five of them for each pair of types.
//!
//! Keys stand in one sorted list, so an insertion moves those behind it, two words each: that is
//! microseconds for the 4,096 DEKs of a full vault. Values are boxed, in a list of their own: then
//! the machine code is the same whatever the values are, and there once.

use alloc::boxed::Box;
use alloc::vec::Vec;

pub(crate) struct Map<V> {
    keys: Keys,
    /// Each at its key's place.
    values: Vec<Box<V>>,
}

impl<V> Map<V> {
    pub(crate) const NEW: Self = Self { keys: Keys(Vec::new()), values: Vec::new() };

    pub(crate) const fn len(&self) -> usize {
        self.values.len()
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<&V> {
        let at = self.keys.find(key).ok()?;
        Some(&**self.values.get(at)?)
    }

    pub(crate) fn get_mut(&mut self, key: &[u8]) -> Option<&mut V> {
        let at = self.keys.find(key).ok()?;
        Some(&mut **self.values.get_mut(at)?)
    }

    /// The value of a key, made if there is none. Never `None`, which the compiler can't know.
    pub(crate) fn entry(&mut self, key: &[u8]) -> Option<&mut V>
    where
        V: Default,
    {
        if self.keys.find(key).is_err() {
            self.insert(key, V::default());
        }
        self.get_mut(key)
    }

    /// Puts a value in and gives the one that stood there.
    pub(crate) fn insert(&mut self, key: &[u8], value: V) -> Option<Box<V>> {
        self.put(key, Box::new(value))
    }

    /// [`Self::insert`] of a value that is boxed already.
    #[inline(never)]
    pub(crate) fn put(&mut self, key: &[u8], value: Box<V>) -> Option<Box<V>> {
        match self.keys.find(key) {
            Ok(at) => Some(core::mem::replace(self.values.get_mut(at)?, value)),
            Err(at) => {
                self.keys.insert(at, key);
                self.values.insert(at, value);
                None
            }
        }
    }

    pub(crate) fn remove(&mut self, key: &[u8]) -> Option<Box<V>> {
        let at = self.keys.find(key).ok()?;
        self.keys.remove(at);
        Some(self.values.remove(at))
    }

    /// Takes out the value of the least key.
    pub(crate) fn pop_first(&mut self) -> Option<Box<V>> {
        if self.values.is_empty() {
            return None;
        }
        self.keys.remove(0);
        Some(self.values.remove(0))
    }

    /// The values, by key.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &V> {
        self.values.iter().map(|value| &**value)
    }

    /// The values, by key.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.values.iter_mut().map(|value| &mut **value)
    }

    /// The keys with their values.
    pub(crate) fn pairs_mut(&mut self) -> impl Iterator<Item = (&[u8], &mut V)> {
        self.keys.0.iter().map(|key| &**key).zip(self.values.iter_mut().map(|value| &mut **value))
    }
}

/// Sorted. Apart from the values, and never inlined: one code for every map.
struct Keys(Vec<Box<[u8]>>);

impl Keys {
    /// Where the key stands, or where it would.
    #[inline(never)]
    fn find(&self, key: &[u8]) -> Result<usize, usize> {
        self.0.binary_search_by(|found| (**found).cmp(key))
    }

    #[inline(never)]
    fn insert(&mut self, at: usize, key: &[u8]) {
        self.0.insert(at, key.into());
    }

    #[inline(never)]
    fn remove(&mut self, at: usize) {
        self.0.remove(at);
    }
}

#[cfg(test)]
mod tests {
    use super::Map;
    use alloc::boxed::Box;
    use alloc::collections::BTreeMap;
    use alloc::vec::Vec;

    fn number(entry: Option<Box<u64>>) -> Option<u64> {
        entry.map(|number| *number)
    }

    #[test]
    fn it_does_what_a_b_tree_does() {
        let (mut map, mut model) = (Map::<u64>::NEW, BTreeMap::<Box<[u8]>, u64>::new());
        let mut draw = 1_u64;
        for step in 0..50_000 {
            draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let key = &(draw >> 40).to_be_bytes()[..6 + (draw >> 60) as usize % 2];
            match (draw >> 33) % 8 {
                0..4 => assert_eq!(number(map.insert(key, step)), model.insert(key.into(), step)),
                4..6 => assert_eq!(number(map.remove(key)), model.remove(key)),
                6 => assert_eq!(map.get_mut(key), model.get_mut(key)),
                _ => assert_eq!(map.get(key), model.get(key)),
            }
            assert_eq!(map.len(), model.len());
        }
        assert_eq!(map.len(), model.len());
        let all: Vec<_> = map.pairs_mut().map(|(key, value)| (key.into(), *value)).collect();
        assert_eq!(all, model.clone().into_iter().collect::<Vec<_>>());
        while let Some((_, value)) = model.pop_first() {
            assert_eq!(map.pop_first(), Some(Box::new(value)));
        }
        assert_eq!((map.pop_first(), map.len()), (None, 0));
    }

    #[test]
    fn it_grows_and_shrinks_in_order_from_either_end() {
        let mut map = Map::NEW;
        for key in (0..1_280_usize).rev().chain(1_280..2_560) {
            assert_eq!(map.insert(&key.to_be_bytes(), key), None);
        }
        assert!(map.iter_mut().map(|key| *key).eq(0..2_560));
        for key in 0..2_560_usize {
            assert_eq!(map.remove(&key.to_be_bytes()), Some(Box::new(key)));
            assert_eq!(map.remove(&key.to_be_bytes()), None);
        }
        assert_eq!(map.len(), 0);
    }
}

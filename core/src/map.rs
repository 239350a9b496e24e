//! A sorted map of byte strings whose code is small, which wasm pays for by the kilobyte: std's
//! B-tree costs five of them for each pair of types.
//!
//! Entries stand in one sorted list, so an insertion moves those behind it, two words each: that
//! is microseconds for the 4,096 DEKs of a full vault. Keys and values are boxed: then the machine
//! code is the same whatever the values are, and the linker keeps it once.

use alloc::boxed::Box;
use alloc::vec::Vec;

type Entry<V> = (Box<[u8]>, Box<V>);

pub(crate) struct Map<V>(Vec<Entry<V>>);

impl<V> Map<V> {
    pub(crate) const NEW: Self = Self(Vec::new());

    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<&V> {
        let at = self.find(key).ok()?;
        Some(&*self.0.get(at)?.1)
    }

    pub(crate) fn get_mut(&mut self, key: &[u8]) -> Option<&mut V> {
        let at = self.find(key).ok()?;
        Some(&mut *self.0.get_mut(at)?.1)
    }

    /// The value of a key, made if there is none. Never `None`, which the compiler can't know.
    pub(crate) fn entry(&mut self, key: &[u8]) -> Option<&mut V>
    where
        V: Default,
    {
        if self.find(key).is_err() {
            self.insert(key, V::default());
        }
        self.get_mut(key)
    }

    /// Puts a value in and gives the one that stood there.
    pub(crate) fn insert(&mut self, key: &[u8], value: V) -> Option<Box<V>> {
        self.put(key, Box::new(value))
    }

    pub(crate) fn remove(&mut self, key: &[u8]) -> Option<Box<V>> {
        let at = self.find(key).ok()?;
        Some(self.0.remove(at).1)
    }

    /// Takes out the entry with the least key.
    pub(crate) fn pop_first(&mut self) -> Option<Entry<V>> {
        if self.0.is_empty() { None } else { Some(self.0.remove(0)) }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &V)> {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&[u8], &mut V)> {
        self.0.iter_mut().map(|(key, value)| (&**key, &mut **value))
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&V) -> bool) {
        self.0.retain(|(_, value)| keep(value));
    }

    /// [`Self::insert`] of a value that is boxed already.
    #[inline(never)]
    pub(crate) fn put(&mut self, key: &[u8], value: Box<V>) -> Option<Box<V>> {
        match self.find(key) {
            Ok(at) => Some(core::mem::replace(&mut self.0.get_mut(at)?.1, value)),
            Err(at) => {
                self.0.insert(at, (key.into(), value));
                None
            }
        }
    }

    /// Where the key stands, or where it would.
    #[inline(never)]
    fn find(&self, key: &[u8]) -> Result<usize, usize> {
        self.0.binary_search_by(|(found, _)| (**found).cmp(key))
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
        map.retain(|value| value % 3 != 0);
        model.retain(|_, value| *value % 3 != 0);
        assert_eq!(map.len(), model.len());
        let all: Vec<_> = map.iter().map(|(key, value)| (key.into(), *value)).collect();
        assert_eq!(all, model.clone().into_iter().collect::<Vec<_>>());
        while let Some((key, value)) = model.pop_first() {
            assert_eq!(map.pop_first(), Some((key, Box::new(value))));
        }
        assert_eq!((map.pop_first(), map.len()), (None, 0));
    }

    #[test]
    fn it_grows_and_shrinks_in_order_from_either_end() {
        let mut map = Map::NEW;
        for key in (0..1_280_usize).rev().chain(1_280..2_560) {
            assert_eq!(map.insert(&key.to_be_bytes(), key), None);
        }
        assert!(map.iter_mut().map(|(_, key)| *key).eq(0..2_560));
        for key in 0..2_560_usize {
            assert_eq!(map.remove(&key.to_be_bytes()), Some(Box::new(key)));
            assert_eq!(map.remove(&key.to_be_bytes()), None);
        }
        assert_eq!(map.len(), 0);
    }
}

//! A sorted map of byte strings whose code is small, which wasm pays for by the kilobyte: std's
//! B-tree costs five of them for each pair of types.
//!
//! Entries stand sorted in chunks of at most [`CHUNK`], so that an insertion moves one chunk's
//! worth however many there are. Keys and values are boxed: then the machine code is the same
//! whatever the values are, and the linker keeps it once.

use alloc::boxed::Box;
use alloc::vec::Vec;

/// Entries in a chunk. A full one is split in half.
const CHUNK: usize = 128;

type Entry<V> = (Box<[u8]>, Box<V>);

pub(crate) struct Map<V> {
    /// None is empty.
    chunks: Vec<Vec<Entry<V>>>,
    len: usize,
}

impl<V> Default for Map<V> {
    fn default() -> Self {
        Self { chunks: Vec::new(), len: 0 }
    }
}

impl<V> Map<V> {
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<&V> {
        let (chunk, at) = self.find(key).ok()?;
        Some(&*self.chunks.get(chunk)?.get(at)?.1)
    }

    pub(crate) fn get_mut(&mut self, key: &[u8]) -> Option<&mut V> {
        let (chunk, at) = self.find(key).ok()?;
        Some(&mut *self.chunks.get_mut(chunk)?.get_mut(at)?.1)
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
        let place = self.find(key).ok()?;
        Some(self.remove_at(place)?.1)
    }

    /// Takes out the entry with the least key.
    pub(crate) fn pop_first(&mut self) -> Option<Entry<V>> {
        self.remove_at((0, 0))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &V)> {
        self.chunks.iter().flatten().map(|(key, value)| (&**key, &**value))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&[u8], &mut V)> {
        self.chunks.iter_mut().flatten().map(|(key, value)| (&**key, &mut **value))
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&V) -> bool) {
        self.len = 0;
        for entries in &mut self.chunks {
            entries.retain(|(_, value)| keep(value));
            self.len = self.len.saturating_add(entries.len());
        }
        self.chunks.retain(|entries| !entries.is_empty());
    }

    #[inline(never)]
    fn put(&mut self, key: &[u8], value: Box<V>) -> Option<Box<V>> {
        let (chunk, at) = match self.find(key) {
            Ok((chunk, at)) => {
                let (_, found) = self.chunks.get_mut(chunk)?.get_mut(at)?;
                return Some(core::mem::replace(found, value));
            }
            Err(place) => place,
        };
        if self.chunks.is_empty() {
            self.chunks.push(Vec::new());
        }
        let entries = self.chunks.get_mut(chunk)?;
        entries.insert(at, (key.into(), value));
        self.len = self.len.saturating_add(1);
        if entries.len() > CHUNK {
            let upper = entries.split_off(CHUNK / 2);
            self.chunks.insert(chunk.saturating_add(1), upper);
        }
        None
    }

    /// Where the key stands, or where it would.
    #[inline(never)]
    fn find(&self, key: &[u8]) -> Result<(usize, usize), (usize, usize)> {
        // The last chunk whose first key is not above.
        let above = |chunk: &Vec<Entry<V>>| chunk.first().is_none_or(|(first, _)| &**first <= key);
        let chunk = self.chunks.partition_point(above).saturating_sub(1);
        let entries = self.chunks.get(chunk).map(Vec::as_slice).unwrap_or_default();
        match entries.binary_search_by(|(found, _)| (**found).cmp(key)) {
            Ok(at) => Ok((chunk, at)),
            Err(at) => Err((chunk, at)),
        }
    }

    #[inline(never)]
    fn remove_at(&mut self, (chunk, at): (usize, usize)) -> Option<Entry<V>> {
        let entries = self.chunks.get_mut(chunk)?;
        let entry = (at < entries.len()).then(|| entries.remove(at))?;
        if entries.is_empty() {
            self.chunks.remove(chunk);
        }
        self.len = self.len.saturating_sub(1);
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::{CHUNK, Map};
    use alloc::boxed::Box;
    use alloc::collections::BTreeMap;
    use alloc::vec::Vec;

    fn number(entry: Option<Box<u64>>) -> Option<u64> {
        entry.map(|number| *number)
    }

    #[test]
    fn it_does_what_a_b_tree_does() {
        let (mut map, mut model) = (Map::<u64>::default(), BTreeMap::<Box<[u8]>, u64>::new());
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
        let mut map = Map::default();
        for key in (0..10 * CHUNK).rev().chain(10 * CHUNK..20 * CHUNK) {
            assert_eq!(map.insert(&key.to_be_bytes(), key), None);
        }
        assert!(map.iter_mut().map(|(_, key)| *key).eq(0..20 * CHUNK));
        for key in 0..20 * CHUNK {
            assert_eq!(map.remove(&key.to_be_bytes()), Some(Box::new(key)));
            assert_eq!(map.remove(&key.to_be_bytes()), None);
        }
        assert_eq!(map.len(), 0);
    }
}

use super::*;
use crate::{BoundRef, FixedBytes, SszExt};

const SHAPE: Shape = Shape::List(BoundRef::Const(1 << 40), &Shape::Plain);
const PROGRESSIVE: Shape = Shape::List(BoundRef::Progressive, &Shape::Plain);

/// Numbers that look random, always the same.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 29) ^ (self.0 >> 40)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

#[derive(Clone, Debug, Default, PartialEq, Ssz)]
struct Entry {
    key: FixedBytes<48>,
    amount: u64,
    flag: bool,
    inner: Pair,
}

#[derive(Clone, Debug, Default, PartialEq, Ssz)]
struct Pair {
    left: u16,
    right: FixedBytes<32>,
}

#[derive(Clone, Debug, Default, PartialEq, Ssz)]
struct Uneven {
    #[ssz(list(9))]
    numbers: Vec<u64>,
    pair: Pair,
}

/// A value made of a number, to fill lists with.
trait Made: Ssz {
    fn made(number: u64) -> Self;
}

impl Made for u8 {
    fn made(number: u64) -> Self {
        number as u8 % 3
    }
}

impl Made for u64 {
    fn made(number: u64) -> Self {
        number % 5 * number
    }
}

impl Made for FixedBytes<32> {
    fn made(number: u64) -> Self {
        FixedBytes([number as u8; 32])
    }
}

impl Made for Entry {
    fn made(number: u64) -> Self {
        let inner = Pair { left: number as u16, right: FixedBytes::made(number / 7) };
        Self { key: FixedBytes([number as u8; 48]), amount: number, flag: number.is_multiple_of(2), inner }
    }
}

impl Made for Uneven {
    fn made(number: u64) -> Self {
        Self { numbers: (0..number % 10).collect(), pair: Pair::default() }
    }
}

/// Changes a list and a vector in the same way, one of all ways there are.
fn change<T: Made>(list: &mut List<T>, naive: &mut Vec<T>, random: &mut Random) {
    let value = T::made(random.next());
    let place = random.below(naive.len().max(1));
    match random.below(13) {
        0 | 1 if !naive.is_empty() => {
            list[place] = value.clone();
            naive[place] = value;
        }
        2 => {
            assert_eq!(list.get_mut(naive.len()), None);
            list.push(value.clone());
            naive.push(value);
        }
        3 | 4 => {
            for number in 0..random.below(3 * Page::<T>::ROOM) as u64 {
                list.push(T::made(number));
                naive.push(T::made(number));
            }
        }
        5 => {
            list.update(|index, _| (index % 100 == 7).then(|| value.clone()));
            naive.iter_mut().skip(7).step_by(100).for_each(|item| *item = value.clone());
        }
        6 => list.for_each_page(|start, mut page| {
            if start <= place && place < start + page.items().len() {
                page.write()[place - start] = value.clone();
                naive[place] = value.clone();
            }
        }),
        7 => {
            // The same elements but for one: all pages but one stay.
            if let Some(item) = naive.get_mut(place) {
                *item = value;
            }
            list.assign(naive);
        }
        8 if random.below(4) == 0 => {
            let len = random.below(40 * Page::<T>::ROOM);
            *naive = vec![value.clone(); len];
            *list = List::filled(value, len);
        }
        9 if random.below(6) == 0 => {
            naive.clear();
            list.clear();
        }
        10 => {
            naive.drain(..place);
            *list = list.iter().skip(place).cloned().collect();
        }
        11 => {
            let mut bytes = Vec::new();
            list.encode(&mut bytes, &SHAPE, &Ctx::PLAIN);
            *list = List::decode(&bytes, &SHAPE, &Ctx::PLAIN).unwrap();
        }
        _ => *list = List::from_slice(naive),
    }
}

fn root<T: Ssz>(value: &T) -> Root {
    value.root(&SHAPE, &Ctx::PLAIN)
}

fn check_random_histories<T: Made>(seed: u64, rounds: usize) {
    let mut random = Random(seed);
    let (mut list, mut naive) = (List::<T>::default(), Vec::<T>::new());
    let mut kept: Vec<(List<T>, Vec<T>)> = Vec::new();
    for round in 0..rounds {
        change(&mut list, &mut naive, &mut random);
        assert_eq!(list.len(), naive.len());
        if random.below(3) == 0 {
            assert_eq!(root(&list), root(&naive), "round {round}");
        }
        if random.below(5) == 0 {
            kept.push((list.clone(), naive.clone()));
        }
        if random.below(9) == 0 && !kept.is_empty() {
            (list, naive) = kept.swap_remove(random.below(kept.len()));
        }
    }
    kept.push((list, naive));
    for (list, naive) in kept {
        assert_eq!(root(&list), root(&naive));
        assert!(list.iter().eq(naive.iter()));
        assert_eq!(list.to_vec(), naive);
        assert_eq!(list.slices().map(<[T]>::len).sum::<usize>(), naive.len());
        assert_eq!(list, naive.iter().cloned().collect());
        let place = random.below(naive.len() + 1);
        assert_eq!(list.get(place), naive.get(place));
        assert_eq!(list.iter().len(), naive.len());
        assert_eq!(list.iter().nth(place), naive.get(place));
        assert!(list.iter().skip(1).skip(place).eq(naive.iter().skip(1).skip(place)));
        assert_eq!(list.root(&PROGRESSIVE, &Ctx::PLAIN), naive.root(&PROGRESSIVE, &Ctx::PLAIN));
        let (mut bytes, mut expected) = (Vec::new(), Vec::new());
        list.encode(&mut bytes, &SHAPE, &Ctx::PLAIN);
        naive.encode(&mut expected, &SHAPE, &Ctx::PLAIN);
        assert_eq!(bytes, expected);
        assert_eq!(List::<T>::decode(&bytes, &SHAPE, &Ctx::PLAIN), Ok(list));
    }
}

#[test]
fn the_root_after_changes_equals_the_root_from_nothing() {
    for seed in 1..4 {
        check_random_histories::<u8>(seed, 150);
        check_random_histories::<u64>(seed, 200);
        check_random_histories::<FixedBytes<32>>(seed, 200);
        check_random_histories::<Entry>(seed, 200);
        check_random_histories::<Uneven>(seed, 100);
    }
}

#[test]
fn a_list_grows_through_all_heights() {
    let (mut list, mut naive) = (List::<u64>::default(), Vec::new());
    let high = 1 << tree::bits::<u64>(2);
    for number in 0..high as u64 + 100 {
        list.push(number);
        naive.push(number);
        // Around every change of height, and now and then between.
        let edge = (0..3).any(|height| naive.len().abs_diff(1 << tree::bits::<u64>(height)) < 2);
        if edge || naive.len().is_multiple_of(9_999) {
            assert_eq!(root(&list), root(&naive), "{}", naive.len());
        }
    }
    assert_eq!(list.height, 3);
    assert!((0..naive.len()).all(|index| list[index] == naive[index]));
}

#[test]
fn vectors_and_lists_of_every_limit_have_their_roots() {
    for len in [1usize, 2, 31, 32, 33, 63, 64, 65, 1024, 1025, 2048, 8192] {
        let naive: Vec<Root> = (0..len as u64).map(FixedBytes::made).collect();
        let list: List<Root> = naive.clone().into();
        for limit in [len, len.next_power_of_two(), 2 * len + 1, 1 << 24] {
            let bound = BoundRef::Const(limit as u64);
            let shape = Shape::List(bound, &Shape::Plain);
            // The second time the memo of another limit is there.
            for _ in 0..2 {
                assert_eq!(
                    list.root(&shape, &Ctx::PLAIN),
                    naive.root(&shape, &Ctx::PLAIN),
                    "{len} of {limit}"
                );
            }
        }
        let shape = Shape::Vector(BoundRef::Const(len as u64), &Shape::Plain);
        assert_eq!(list.root(&shape, &Ctx::PLAIN), naive.root(&shape, &Ctx::PLAIN), "{len}");
    }
}

/// The pages of a list, by their places in memory.
fn pages<T: Ssz>(list: &List<T>) -> Vec<*const T> {
    list.slices().map(<[T]>::as_ptr).collect()
}

#[test]
fn update_leaves_untouched_pages_shared() {
    let original: List<u64> = (0..5000).collect();
    let mut list = original.clone();
    let shared =
        |a: &List<u64>, b: &List<u64>| pages(a).iter().zip(pages(b)).filter(|(a, b)| **a == *b).count();
    list.update(|_, _| None);
    assert_eq!(pages(&list), pages(&original));
    list.update(|index, _| (index == 4000).then_some(1));
    assert_eq!(shared(&list, &original), pages(&list).len() - 1);
    assert_eq!(list[4000], 1);
    let before = list.clone();
    list.for_each_page(|start, mut page| {
        if (start..start + page.items().len()).contains(&4000) {
            assert_eq!(page.items()[4000 - start], 1);
            page.write()[4000 - start] = 2;
        }
    });
    assert_eq!((shared(&list, &before), list[4000], before[4000]), (pages(&list).len() - 1, 2, 1));
    let mut items = before.to_vec();
    list.assign(&items);
    assert_eq!((shared(&list, &before), &list), (pages(&list).len() - 1, &before));
    items.truncate(100);
    list.assign(&items);
    assert_eq!(list.to_vec(), items);
}

#[test]
fn a_write_copies_one_page_and_only_once() {
    let original: List<u64> = (0..5000).collect();
    let mut list = original.clone();
    list[77] = 0;
    let after_first = pages(&list);
    list[78] = 0;
    assert_eq!(pages(&list), after_first);
    assert_eq!((original[77], original[78]), (77, 78));
}

#[test]
fn equal_pages_are_one_when_bytes_are_read_and_when_lists_are_filled() {
    let per_page = Page::<u64>::ROOM;
    let filled = List::filled(7u64, 50 * per_page + 3);
    let mut distinct = pages(&filled);
    distinct.dedup();
    assert_eq!(distinct.len(), 2);
    let mut bytes = Vec::new();
    filled.encode(&mut bytes, &SHAPE, &Ctx::PLAIN);
    let mut read = List::<u64>::decode(&bytes, &SHAPE, &Ctx::PLAIN).unwrap();
    let mut distinct = pages(&read);
    distinct.dedup();
    assert_eq!((distinct.len(), &read), (2, &filled));
    // A write to a shared page changes one element all the same.
    read[per_page] = 8;
    assert_eq!(read.iter().filter(|number| **number == 8).count(), 1);
    assert_eq!(root(&read), root(&read.to_vec()));
}

#[test]
fn errors_name_the_element_in_whatever_page() {
    let entries: Vec<Entry> = (0..100).map(Entry::made).collect();
    let len = Entry::FIXED_LEN.unwrap();
    let mut bytes = Vec::new();
    entries.encode(&mut bytes, &SHAPE, &Ctx::PLAIN);
    assert_eq!((len, bytes.len()), (48 + 8 + 1 + 34, 100 * len));
    bytes[77 * len + 56] = 2;
    let of_list = List::<Entry>::decode(&bytes, &SHAPE, &Ctx::PLAIN).unwrap_err();
    let of_vec = Vec::<Entry>::decode(&bytes, &SHAPE, &Ctx::PLAIN).unwrap_err();
    assert_eq!(of_list, of_vec);
    assert!(of_list.to_string().starts_with("[77].flag: "), "{of_list}");
    bytes.pop();
    assert!(List::<Entry>::decode(&bytes, &SHAPE, &Ctx::PLAIN).is_err());
    let shape = Shape::List(BoundRef::Const(99), &Shape::Plain);
    bytes.clear();
    entries.encode(&mut bytes, &shape, &Ctx::PLAIN);
    let error = List::<Entry>::decode(&bytes, &shape, &Ctx::PLAIN).unwrap_err();
    assert_eq!(*error.kind(), crate::DecodeErrorKind::Limit { limit: 99, found: 100 });
    let vector = Shape::Vector(BoundRef::Const(101), &Shape::Plain);
    let error = List::<Entry>::decode(&bytes, &vector, &Ctx::PLAIN).unwrap_err();
    assert_eq!(*error.kind(), crate::DecodeErrorKind::VectorLength { expected: 101, found: 100 });
}

#[derive(Clone, Debug, Default, PartialEq, Ssz)]
struct Everything {
    #[ssz(list(100000))]
    entries: List<Entry>,
    flag: bool,
    #[ssz(list(50))]
    uneven: List<Uneven>,
    #[ssz(vector(3))]
    pairs: Vec<Pair>,
    #[ssz(list(40))]
    bits: crate::Bits,
}

#[test]
fn random_bytes_never_panic_and_what_is_read_is_written_again() {
    let mut random = Random(9);
    let mut value = Everything::new_default(Ctx::PLAIN);
    (0..40).for_each(|number| value.entries.push(Entry::made(number)));
    (0..7).for_each(|number| value.uneven.push(Uneven::made(number)));
    let valid = value.to_ssz(Ctx::PLAIN);
    assert_eq!(Everything::from_ssz(&valid, Ctx::PLAIN), Ok(value));
    let mut read = 0;
    for _ in 0..20_000 {
        let mut bytes = valid.clone();
        for _ in 0..random.below(4) {
            let place = random.below(bytes.len());
            bytes[place] = random.next() as u8;
        }
        if random.below(3) == 0 {
            bytes.truncate(random.below(bytes.len()));
        }
        if let Ok(value) = Everything::from_ssz(&bytes, Ctx::PLAIN) {
            read += 1;
            assert_eq!(value.to_ssz(Ctx::PLAIN), bytes);
        }
    }
    assert!(read > 1000, "{read}");
    for _ in 0..2000 {
        let bytes: Vec<u8> = (0..random.below(300)).map(|_| random.next() as u8 % 40).collect();
        let _ = Everything::from_ssz(&bytes, Ctx::PLAIN);
    }
}

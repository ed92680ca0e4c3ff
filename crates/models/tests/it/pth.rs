//! PyTorch's own files: read where they hold tensors by name, refused with a word of why where they hold anything
//! else. The files are made here, byte by byte, as `torch.save` makes them; `torch.rs` has real ones.

use std::fmt::Debug;
use std::io::Cursor;
use std::time::{Duration, Instant};

use models::{NamedTensor, TensorFile, WeightsError, read_tensors};

/// A storage and the tensor that views it.
#[derive(Clone)]
struct Stored {
    name: &'static str,
    values: Vec<f32>,
    shape: Vec<u8>,
    strides: Vec<u8>,
    offset: u8,
    storage: &'static str,
    class: &'static str,
}

fn stored(name: &'static str, storage: &'static str, values: &[f32], shape: &[u8]) -> Stored {
    let strides = (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect();
    let (values, shape) = (values.to_vec(), shape.to_vec());
    Stored { name, values, shape, strides, offset: 0, storage, class: "FloatStorage" }
}

fn two() -> Vec<Stored> {
    vec![
        stored("features.0.weight", "94", &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3]),
        stored("features.0.bias", "95", &[-0.5, 0.25], &[2]),
    ]
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.push(b'X');
    out.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
    out.extend(text.as_bytes());
}

fn tuple(out: &mut Vec<u8>, items: &[u8]) {
    out.push(b'(');
    for &item in items {
        out.extend([b'K', item]);
    }
    out.push(b't');
}

/// Which of PyTorch's ways to describe a tensor is used.
#[derive(Clone, Copy, PartialEq)]
enum Rebuild {
    First,
    Second,
    Parameter,
}

fn state_dict(tensors: &[Stored], rebuild: Rebuild) -> Vec<u8> {
    let mut out = b"\x80\x02ccollections\nOrderedDict\nq\x00)Rq\x01(".to_vec();
    for tensor in tensors {
        text(&mut out, tensor.name);
        if rebuild == Rebuild::Parameter {
            out.extend(b"ctorch._utils\n_rebuild_parameter\n");
        }
        out.extend(match rebuild {
            Rebuild::First => &b"ctorch._utils\n_rebuild_tensor\n("[..],
            _ => b"ctorch._utils\n_rebuild_tensor_v2\n(",
        });
        out.push(b'(');
        text(&mut out, "storage");
        out.extend(format!("ctorch\n{}\n", tensor.class).as_bytes());
        text(&mut out, tensor.storage);
        text(&mut out, "cpu");
        out.extend([b'K', u8::try_from(tensor.values.len()).unwrap()]);
        if rebuild == Rebuild::First {
            out.push(b'N');
        }
        out.extend([b't', b'Q', b'K', tensor.offset]);
        tuple(&mut out, &tensor.shape);
        tuple(&mut out, &tensor.strides);
        if rebuild != Rebuild::First {
            out.extend(b"\x89ccollections\nOrderedDict\n)R");
        }
        out.extend(b"tR");
        if rebuild == Rebuild::Parameter {
            out.extend(b"\x88ccollections\nOrderedDict\n)R\x87R");
        }
    }
    out.extend(b"u}");
    text(&mut out, "_metadata");
    out.extend(b"h\x00)Rsb.");
    out
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// The format before PyTorch 1.6.
fn stream(pickle: &[u8], tensors: &[Stored]) -> Vec<u8> {
    let mut out = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}(".to_vec();
    text(&mut out, "protocol_version");
    out.extend(b"M\xe9\x03");
    text(&mut out, "little_endian");
    out.extend(b"\x88u.");
    out.extend(pickle);
    out.extend(b"\x80\x02](");
    for tensor in tensors {
        text(&mut out, tensor.storage);
    }
    out.extend(b"e.");
    for tensor in tensors {
        out.extend((tensor.values.len() as u64).to_le_bytes());
        out.extend(bytes(&tensor.values));
    }
    out
}

/// The files of an archive, before they are laid out.
fn files(pickle: &[u8], tensors: &[Stored]) -> Vec<(String, Vec<u8>)> {
    let mut files =
        vec![("archive/data.pkl".to_owned(), pickle.to_vec()), ("archive/byteorder".to_owned(), b"little".to_vec())];
    files.extend(tensors.iter().map(|it| (format!("archive/data/{}", it.storage), bytes(&it.values))));
    files
}

/// Where an archive says how large it is.
#[derive(Clone, Copy, PartialEq)]
enum End {
    Plain,
    Zip64,
}

fn archive(files: &[(String, Vec<u8>)], end: End) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, data) in files {
        let offset = u32::try_from(out.len()).unwrap();
        let (len, crc) = (u32::try_from(data.len()).unwrap().to_le_bytes(), crc32fast::hash(data).to_le_bytes());
        let name_len = u16::try_from(name.len()).unwrap().to_le_bytes();
        // Five bytes of padding, as PyTorch aligns what follows.
        let local =
            [&b"PK\x03\x04"[..], &[0; 10], &crc, &len, &len, &name_len, &[5, 0], name.as_bytes(), b"FB\x01\x00Z"];
        out.extend(local.concat());
        out.extend(data);
        let central = [&b"PK\x01\x02"[..], &[0; 12], &crc];
        directory.extend(central.concat());
        match end {
            End::Plain => directory.extend([len, len].concat()),
            End::Zip64 => directory.extend([0xff; 8]),
        }
        let extra_len = if end == End::Zip64 { [28, 0] } else { [0, 0] };
        directory.extend([&name_len[..], &extra_len, &[0; 10]].concat());
        directory.extend(if end == End::Zip64 { [0xff; 4] } else { offset.to_le_bytes() });
        directory.extend(name.as_bytes());
        if end == End::Zip64 {
            directory.extend([1, 0, 24, 0]);
            for number in [data.len() as u64, data.len() as u64, offset.into()] {
                directory.extend(number.to_le_bytes());
            }
        }
    }
    let (count, start) = (files.len() as u64, out.len() as u64);
    let size = directory.len() as u64;
    out.extend(directory);
    if end == End::Zip64 {
        let at = out.len() as u64;
        out.extend([&b"PK\x06\x06"[..], &44u64.to_le_bytes(), &[0; 12]].concat());
        for number in [count, count, size, start] {
            out.extend(number.to_le_bytes());
        }
        out.extend([&b"PK\x06\x07"[..], &[0; 4], &at.to_le_bytes(), &[1, 0, 0, 0]].concat());
    }
    let short = |number: u64| u16::try_from(number).unwrap().to_le_bytes();
    let long = |number: u64| u32::try_from(number).unwrap().to_le_bytes();
    out.extend(
        [&b"PK\x05\x06"[..], &[0; 4], &short(count), &short(count), &long(size), &long(start), &[0, 0]].concat(),
    );
    out
}

fn zipped(pickle: &[u8], tensors: &[Stored]) -> Vec<u8> {
    archive(&files(pickle, tensors), End::Plain)
}

/// Every way in which the same tensors can be stored.
fn every_format(tensors: &[Stored]) -> Vec<Vec<u8>> {
    let pickles = [Rebuild::First, Rebuild::Second, Rebuild::Parameter].map(|it| state_dict(tensors, it));
    let streams = pickles.iter().map(|pickle| stream(pickle, tensors));
    let archives = pickles.iter().map(|pickle| zipped(pickle, tensors));
    let zip64 = archive(&files(&pickles[1], tensors), End::Zip64);
    streams.chain(archives).chain([zip64]).collect()
}

#[track_caller]
fn refuses<T: Debug>(result: Result<T, WeightsError>, expected: &str) {
    let error = result.expect_err(expected).to_string();
    assert!(error.contains(expected), "expected {expected:?}: {error}");
}

#[test]
fn both_formats_give_the_tensors() {
    for file in every_format(&two()) {
        let tensors = read_tensors(&file).unwrap();
        let tensor = |name: &str, shape: &[usize], values: &[f32]| {
            let (name, shape, values) = (name.to_owned(), shape.to_vec(), values.to_vec());
            NamedTensor { name, shape, values }
        };
        let bias = tensor("features.0.bias", &[2], &[-0.5, 0.25]);
        let weight = tensor("features.0.weight", &[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(tensors, [bias, weight]);
    }
}

#[test]
fn python_2_wrote_dictionaries_as_lists_of_pairs() {
    let mut pickle = b"\x80\x02ccollections\nOrderedDict\nq\x00](](U\x01a".to_vec();
    let inner = state_dict(&[stored("a", "7", &[3.0], &[1])], Rebuild::First);
    let start = inner.windows(6).position(|it| it == b"_utils").unwrap() - "ctorch.".len();
    let end = inner.iter().rposition(|&byte| byte == b'u').unwrap();
    pickle.extend(&inner[start..end]);
    pickle.extend(b"ee\x85R.");
    let tensors = [stored("a", "7", &[3.0], &[1])];
    assert_eq!(read_tensors(&stream(&pickle, &tensors)).unwrap()[0].values, [3.0]);
}

#[test]
fn nothing_is_executed() {
    for global in ["cos\nsystem\n", "cposix\nsystem\n", "cbuiltins\neval\n", "ctorch\nload\n", "c__builtin__\nexec\n"] {
        let mut pickle = b"\x80\x02".to_vec();
        pickle.extend(global.as_bytes());
        text(&mut pickle, "touch hacked");
        pickle.extend(b"\x85R.");
        refuses(read_tensors(&zipped(&pickle, &[])), "nothing was executed");
        refuses(read_tensors(&stream(&pickle, &[])), "nothing was executed");
    }
    for opcode in [&b"i"[..], b"o", b"P", b"\x82\x01", b"\x93", b"\x95", b"S'x'\n", b"V", b"F1\n", b"2", b"0"] {
        let pickle = [b"\x80\x02", opcode, b"."].concat();
        refuses(read_tensors(&zipped(&pickle, &[])), "no place in a dictionary of tensors");
    }
}

#[test]
fn pickles_that_are_no_dictionary_of_tensors_are_refused() {
    let check = |pickle: &[u8], expected: &str| refuses(read_tensors(&zipped(pickle, &[])), expected);
    check(b"\x80\x02K\x01.", "expected a dictionary");
    check(b"\x80\x04}.", "expected protocol 2, found 4");
    check(b"\x80\x02}K\x01K\x02s.", "expected a name of a tensor");
    check(b"\x80\x02}U\x01aK\x02s.", "a: expected a tensor");
    check(b"\x80\x02}h\x00.", "never remembered");
    check(b"\x80\x02}(U\x01au.", "without a value");
    check(b"\x80\x02}}.", "left over");
    check(b"\x80\x02.", "empty stack");
    check(b"\x80\x02t.", "no beginning");
    check(b"\x80\x02K\x01(\x85.", "more values than there are");
    check(b"\x80\x02}(b.", "open group");
    check(b"\x80\x02U\xffabc", "in the middle");
    check(b"\x80\x02X\xff\xff\xff\xffabc", "in the middle");
    check(b"\x80\x02U\x01\xff.", "UTF-8");
    check(b"\x80\x02ccollections", "without an end");
    check(&[&b"\x80\x02c"[..], &[b'a'; 500], b"\nb\n."].concat(), "without an end");
    check(b"\x80\x02ccollections\nOrderedDict\nK\x01\x85R.", "expected an object");
    check(b"\x80\x02ctorch.nn.parameter\nParameter\n)\x81)b.", "has none");
    check(b"", "in the middle");
}

#[test]
fn bombs_end_in_time() {
    let in_time = |pickle: &[u8], expected: &str| {
        let start = Instant::now();
        refuses(read_tensors(&zipped(pickle, &[])), expected);
        assert!(start.elapsed() < Duration::from_secs(5), "{expected}: {:?}", start.elapsed());
    };
    // A tuple of tuples of tuples, and lists within each other: nothing walks down.
    let nested = |open: &[u8], close: &[u8]| {
        let depth = 200_000;
        [&b"\x80\x02"[..], &open.repeat(depth), &close.repeat(depth), b"."].concat()
    };
    for pickle in [nested(b"(", b"t"), nested(b"]", b"a"), nested(b"(", b"\x85"), nested(b")", b"\x86")] {
        in_time(&pickle, "PyTorch file");
    }
    // The same long list, copied by every call.
    let mut copies = b"\x80\x02ccollections\nOrderedDict\nq\x00](".to_vec();
    copies.extend(b"NN\x86".repeat(30_000));
    copies.extend(b"e\x85q\x01");
    copies.extend(b"h\x00h\x01R".repeat(100_000));
    in_time(&copies, "more than 1048576 items");
    // Doubling: every tuple has the one before twice.
    let doubling = [&b"\x80\x02)q\x00"[..], &b"h\x00h\x00\x86q\x00".repeat(100_000), b"."].concat();
    in_time(&doubling, "left over");
    // Longer than any pickle of tensors.
    in_time(&vec![b'N'; 2 << 20], "at most 1048576 bytes");
}

#[test]
fn storages_that_do_not_fit_are_refused() {
    let check = |spoil: &dyn Fn(&mut Vec<Stored>), expected: &str| {
        let mut described = two();
        spoil(&mut described);
        let pickle = state_dict(&described, Rebuild::Second);
        refuses(read_tensors(&zipped(&pickle, &two())), expected);
        assert!(read_tensors(&stream(&pickle, &two())).is_err(), "{expected}");
    };
    check(&|it| it[0].offset = 1, "fills its storage of 6 numbers");
    check(&|it| it[0].shape = vec![2, 4], "found strides [3, 1]");
    check(&|it| it[0].strides = vec![1, 2], "found strides [1, 2]");
    check(&|it| it[0].shape = vec![3], "2 strides");
    check(&|it| it[1].shape = vec![3], "fills its storage");
    check(&|it| it[1].storage = "94", "found 24 bytes");
    check(&|it| it[1].storage = "96", "no entry archive/data/96");
    check(&|it| it[1].storage = "../../etc/passwd", "no entry archive/data/../../etc/passwd");
    check(&|it| it[1].values.push(0.0), "fills its storage");
    check(&|it| it[1].class = "DoubleStorage", "found 8 bytes");
    check(&|it| it[1].name = "features.0.weight", "occurs twice");
    check(
        &|it| {
            let (shape, strides) = (it[0].shape.clone(), it[0].strides.clone());
            it[1] =
                Stored { name: "twin", values: it[0].values.clone(), shape, strides, storage: "94", ..it[1].clone() };
        },
        "share bytes",
    );
}

#[test]
fn numbers_that_are_not_finite_or_not_f32_are_refused() {
    let mut tensors = two();
    tensors[0].values[4] = f32::NAN;
    for file in every_format(&tensors) {
        refuses(read_tensors(&file), "features.0.weight: expected finite numbers, found NaN at 4");
    }
    let mut tensors = two();
    tensors[1].class = "IntStorage";
    for file in every_format(&tensors) {
        refuses(read_tensors(&file), "features.0.bias: expected f32 numbers, found i32");
        // The other tensor can still be read.
        let mut file = TensorFile::open(Cursor::new(file)).unwrap();
        assert_eq!(file.read("features.0.weight").unwrap().len(), 6);
    }
}

#[test]
fn archives_that_lie_are_refused() {
    let pickle = state_dict(&two(), Rebuild::Second);
    let right = files(&pickle, &two());
    let check =
        |files: &[(String, Vec<u8>)], expected: &str| refuses(read_tensors(&archive(files, End::Plain)), expected);
    check(&right[1..], "one entry data.pkl");
    check(&[&right[..], &[("other/data.pkl".to_owned(), pickle.clone())]].concat(), "one entry data.pkl");
    check(&[&right[..], &right[3..]].concat(), "twice in the archive");
    let mut big = right.clone();
    big[1].1 = b"big".to_vec();
    check(&big, "little-endian");
    let mut short = right.clone();
    short[2].1.pop();
    check(&short, "expected 6 numbers, found 23 bytes");

    let whole = archive(&right, End::Plain);
    let directory = whole.windows(4).position(|it| it == b"PK\x01\x02").unwrap();
    let end = whole.len() - 22;
    let check = |at: usize, patch: &[u8], expected: &str| {
        let mut file = whole.clone();
        file[at..at + patch.len()].copy_from_slice(patch);
        refuses(read_tensors(&file), expected);
    };
    check(directory + 8, &[1], "encrypted");
    check(directory + 10, &[8], "compressed");
    check(directory + 16, &[0; 4], "CRC-32");
    check(directory + 20, &[9], "bytes in the archive, found");
    check(directory + 42, &[0xff; 4], "zip64 field is damaged");
    check(directory + 42, &[0xfe; 4], "outside of the archive");
    check(directory + 42, &[1], "not where the archive's directory says");
    check(directory + 20, &[0xf0, 0xff, 0xff, 0x7f, 0xf0, 0xff, 0xff, 0x7f], "outside of the archive");
    check(directory + 28, &[0xff, 0xff], "cut short");
    check(30, b"b", "another name");
    check(end + 12, &[0xff; 4], "does not fit");
    check(end + 16, &[0xff; 4], "does not fit");
    check(end + 10, &[9], "expected 9 entries");
    check(end + 20, &[9], "no end record");
    // A bit of a number flips: the archive's own checksum tells.
    let at = whole.windows(4).position(|it| it == 6.0f32.to_le_bytes()).unwrap();
    check(at, &[1], "features.0.weight: expected CRC-32");
}

#[test]
fn cut_and_flipped_files_are_errors_or_harmless() {
    for file in every_format(&two()) {
        for len in 0..file.len() {
            assert!(read_tensors(&file[..len]).is_err(), "{len} of {} bytes", file.len());
        }
        assert!(read_tensors(&[&file[..], b"more"].concat()).is_err());
        for at in 0..file.len() {
            for bit in 0..8 {
                let mut flipped = file.clone();
                flipped[at] ^= 1 << bit;
                let _ = read_tensors(&flipped);
            }
        }
    }
}

#[test]
fn headers_of_safetensors_that_lie_are_refused() {
    let check = |header: &str, numbers: usize, expected: &str| {
        let len = header.len() as u64;
        let file = [&len.to_le_bytes(), header.as_bytes(), &vec![0; numbers]].concat();
        refuses(read_tensors(&file), expected);
    };
    let tensor = |shape: &str, from: u64, to: u64| {
        format!("{{\"dtype\":\"F32\",\"shape\":{shape},\"data_offsets\":[{from},{to}]}}")
    };
    check(&format!("{{\"a\":{}}}", tensor("[2]", 0, 4)), 8, "invalid shape");
    check(&format!("{{\"a\":{}}}", tensor("[2]", 0, 8)), 4, "beyond");
    check(&format!("{{\"a\":{}}}", tensor("[2]", 8, 0)), 8, "invalid offset");
    check(&format!("{{\"a\":{},\"b\":{}}}", tensor("[2]", 0, 8), tensor("[2]", 4, 12)), 12, "invalid offset");
    check(&format!("{{\"a\":{}}}", tensor("[2]", 4, 12)), 12, "invalid offset");
    check(&format!("{{\"a\":{}}}", tensor("[2]", 0, 8)), 12, "expected a file of");
    check(&format!("{{\"a\":{}}}", tensor("[4294967296,4294967296,4294967296]", 0, 8)), 8, "overflow");
    check(&format!("{{\"a\":{}}}", tensor("[2]", u64::MAX - 7, u64::MAX)), 8, "invalid offset");
    check("{\"a\":", 0, "EOF");
    let long = [&(1u64 << 40).to_le_bytes()[..], b"{}"].concat();
    refuses(read_tensors(&long), "header, found 1099511627776");
    refuses(read_tensors(b""), "found one of 0 bytes");
    refuses(read_tensors(b"hello, this is text"), "begins with [68, 65");
}

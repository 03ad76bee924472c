"""When a request is whole, told from its bytes alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.web.framing import LONGEST_HEAD, Frame, Progress

HEAD = b"POST /webhooks/zapier HTTP/1.1\r\nHost: bridge\r\n"
CHUNKED = HEAD + b"transfer-encoding:\tChunked \r\n\r\n"
LARGEST = 100

sizes = st.lists(st.integers(1, 20), max_size=4)


def look(request: bytes, largest: int = LARGEST) -> Progress:
    return Frame(largest).look(bytearray(request))


def chunk(data: bytes, extension: bytes = b"") -> bytes:
    return b"%X%b\r\n%b\r\n" % (len(data), extension, data)


WHOLE = {
    "no body": HEAD + b"\r\n",
    "an empty one": HEAD + b"Content-Length: 0\r\n\r\n",
    "a length": HEAD + b"Content-Length: 5\r\nX: y\r\n\r\n12345",
    "a length in small letters": HEAD + b"content-length:  5 \r\n\r\n\r\n\r\n5",
    "the largest": HEAD + b"Content-Length: 100\r\n\r\n" + b"x" * 100,
    "chunks": CHUNKED + chunk(b"0\r\n\r\n") + chunk(b"x" * 17, b' ; a="b"') + b"0\r\n\r\n",
    "chunks and a trailer": CHUNKED + chunk(b"x") + b"000;last\r\nX-Sum: 1\r\n\r\n",
    "no chunks": CHUNKED + b"0\r\n\r\n",
}


@pytest.mark.parametrize("name", WHOLE)
@given(cuts=st.lists(st.integers(0, 400), max_size=6))
def test_it_is_whole_with_its_last_byte_and_not_before_in_whatever_pieces_it_comes(name, cuts):
    request, frame = WHOLE[name], Frame(LARGEST)
    for end in sorted({cut for cut in cuts if cut < len(request)}):
        assert frame.look(bytearray(request[:end])) is Progress.COMING

    assert Frame(LARGEST).look(bytearray(request[:-1])) is Progress.COMING
    assert frame.look(bytearray(request)) is Progress.WHOLE


@pytest.mark.parametrize("name", WHOLE)
def test_what_follows_it_belongs_to_the_next(name):
    assert look(WHOLE[name] + HEAD) is Progress.WHOLE


@pytest.mark.parametrize(
    "fields",
    [
        b"Content-Length: 5\r\nContent-Length: 5\r\n",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding: identity\r\n",
        b"Content-Length: +5\r\n",
        b"Content-Length: -5\r\n",
        b"Content-Length: 5, 5\r\n",
        b"Content-Length: 0x5\r\n",
        b"Content-Length:\r\n",
        b"Content-Length: " + b"9" * 5000 + b"\r\n",
        b"Content-Length: 101\r\n",
    ],
)
def test_where_the_headers_do_not_tell_nothing_is_waited_for(fields):
    assert look(HEAD + fields + b"\r\n") is Progress.DOUBTFUL


@pytest.mark.parametrize(
    "chunks", [b"x\r\n", b"-1\r\n", b"\r\n", b"0x5\r\n", b"5\r\nxxxxxxx", b"1\n\r\n", b"F" * 13 + b"\r\n", b"1;" + b"y" * 2000, b"5_0\r\n"]
)
def test_a_chunk_that_makes_no_sense_is_not_waited_for(chunks):
    assert look(CHUNKED + chunks) is Progress.DOUBTFUL


@given(sizes=sizes)
def test_chunks_beyond_the_largest_body_are_enough_once_they_have_come(sizes):
    body = b"".join(chunk(b"x" * size) for size in sizes)

    assert look(CHUNKED + body) is (Progress.COMING if sum(sizes) <= LARGEST else Progress.DOUBTFUL)
    assert look(CHUNKED + body + b"FFFFF\r\n" + b"x" * (LARGEST - sum(sizes))) is Progress.COMING
    assert look(CHUNKED + body + b"FFFFF\r\n" + b"x" * (LARGEST + 3)) is Progress.DOUBTFUL


def test_headers_have_a_limit_with_and_without_an_end():
    long = HEAD + b"X: %b\r\n" % (b"x" * LONGEST_HEAD)

    assert look(long) is Progress.TOO_LONG
    assert look(long + b"\r\n") is Progress.TOO_LONG
    assert look(HEAD + b"X: %b\r\n\r\n" % (b"x" * (LONGEST_HEAD - len(HEAD) - 5))) is Progress.WHOLE


def test_wrapping_has_a_limit_too():
    assert look(CHUNKED + chunk(b"x", b";" + b"y" * 1000) * 70) is Progress.TOO_LONG


@pytest.mark.parametrize("field", [b"Expect: 100-continue\r\n", b"expect:100-Continue\r\n"])
def test_a_sender_that_waits_is_noticed(field):
    frame = Frame(LARGEST)
    frame.look(bytearray(HEAD + b"Content-Length: 5\r\n" + field + b"\r\n"))

    assert frame.waits


@given(st.binary(max_size=300))
def test_no_bytes_bring_it_down(garbage):
    for start in (b"", HEAD, CHUNKED):
        assert look(start + garbage) in Progress

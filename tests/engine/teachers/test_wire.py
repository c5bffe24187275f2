from hypothesis import given
from hypothesis import strategies as st

from reasonmill.engine.teachers.wire import (
    Abort,
    Answer,
    Ask,
    Beat,
    EngineSpec,
    Failed,
    Load,
    Loaded,
    Refused,
    Sampling,
    Started,
    decode,
    encode,
)

numbers = st.integers(min_value=0, max_value=2**53)
text = st.text()
shares = st.floats(min_value=0, max_value=1)
specs = st.builds(
    EngineSpec,
    model=text,
    dtype=text,
    max_model_len=st.none() | numbers,
    max_num_seqs=numbers,
    tensor_parallel_size=numbers,
    gpu_memory_utilization=shares,
    kv_cache_mib=st.none() | numbers,
)
samplings = st.builds(Sampling, seed=numbers, temperature=shares, top_p=shares, top_k=numbers, max_tokens=numbers)
turns = st.lists(st.tuples(text, text)).map(tuple)
messages = st.one_of(
    st.builds(Load, spec=specs),
    st.builds(Ask, id=numbers, turns=turns, generation_prompt=text, sampling=samplings),
    st.builds(Abort, id=numbers),
    st.builds(Started, version=text),
    st.builds(Loaded, device=text, max_model_len=numbers, seconds=shares),
    st.builds(Failed, message=text),
    st.builds(Answer, id=numbers, text=text, finish_reason=text, prompt_tokens=numbers, completion_tokens=numbers),
    st.builds(Refused, id=numbers, message=text),
    st.builds(Beat, steps=numbers),
)


@given(messages)
def test_a_message_is_one_line_that_reads_back_equal(message: Answer) -> None:
    line = encode(message)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode(line) == message

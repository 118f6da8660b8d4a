from nmt_keras.analysis.throughput import step_times


def test_batches_of_all_lengths_hold_as_many_tokens(build, contract_sizes) -> None:
    times = step_times(build(contract_sizes["gru"], 50), 50, (4, 8, 32), 64, repeats=1)
    assert [(time.length, time.rows) for time in times] == [(4, 16), (8, 8), (32, 2)]
    assert all(time.training > 0 and time.encoding > 0 for time in times)

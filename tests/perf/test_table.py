from rlattack.perf import Speed, SpeedTable


def test_a_share_is_a_speed_over_the_one_that_it_is_read_beside():
    assert Speed(name="clean play", per_second=80, beside="bound", reference=100).share == 0.8
    assert Speed(name="forward", per_second=80).share is None


def test_the_mean_is_of_every_number_that_is_there():
    one, two = (
        Speed(name="clean play", per_second=10.0 * n, beside="bound", reference=20.0 * n, resets_per_step=0.5 * n)
        for n in (1, 3)
    )
    assert Speed.mean([one, two]) == Speed(
        name="clean play", per_second=20.0, beside="bound", reference=40.0, resets_per_step=1.0
    )
    part = Speed(name="reset", per_second=4.0, unit="resets")
    assert Speed.mean([part, part]) == part


def test_a_table_is_json_with_its_shares():
    speed = Speed(name="stepping", per_second=900.0, beside="mj_step", reference=1000.0)
    assert SpeedTable(title="stepping", setting={"slots": 64}, speeds=(speed,)).to_json() == {
        "title": "stepping", "setting": {"slots": 64}, "note": "",
        "speeds": [{
            "name": "stepping", "per_second": 900.0, "unit": "steps", "beside": "mj_step", "reference": 1000.0,
            "resets_per_step": None, "share": 0.9,
        }],
    }  # fmt: skip

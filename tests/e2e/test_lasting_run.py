"""A short randomised run: everything fails that can, on both sides; bench/lasting is the long one."""
import lasting_run

SEED = 20261121


async def test_a_hundred_conversations_survive_whatever_happens():
    lasting_run.raise_descriptor_limit()
    result = await lasting_run.run(100, 40, SEED, recovery={"rotate_age_ms": 250})
    told = lasting_run.summary(result)
    assert not result.wrong(), result.wrong()[0].text + f"\n{told}\nbench/lasting --seed {SEED} --only {result.wrong()[0].number}"
    assert told["recoveries"] > 20 and told["rotations"] > 0 and told["returns"] > 20, told
    assert told["descriptors"]["after"] <= told["descriptors"]["before"], told
    assert told["sessions_left"] == 0 and told["service_connections_left"] <= told["warm"] and not told["broken"], told

#include "engine/realtime/audio_tokens.hpp"

#include <catch2/catch.hpp>

using namespace repartee::engine;

TEST_CASE("Audio tokens round up", "[audio_tokens]")
{
    CHECK(user_audio_tokens(0) == 0);
    CHECK(user_audio_tokens(101) == 2);
    CHECK(assistant_audio_tokens(101) == 3);
}

#include "support.hpp"

using namespace test;

namespace {

conversation::SessionSettings lasting(bool by_voice = true)
{
    auto settings = Script::defaults();
    settings.recovery.enabled = true;
    settings.downlink.lead.reset();
    if (!by_voice) settings.turn_detection.type = realtime::TurnDetection::Type::none;
    return settings;
}

/// A session that loses services.
struct Lasting : Script {
    explicit Lasting(conversation::SessionSettings settings = lasting()) : Script(settings)
    {
        live();
        clock.advance(1'000);
    }

    void lose() { session.on_upstream_lost({Code::closed, "gone"}, clock.now); }
    /// What the next service is told and sent, from its session.updated on.
    std::vector<json::object> next_service()
    {
        upstream({{"type", "session.created"}, {"session", json::object{{"model", "gpt-test"}}}});
        CHECK(types(to_upstream()) == Strings{"session.update"});
        upstream({{"type", "session.updated"}, {"session", json::object{{"id", "sess_next"}}}});
        return to_upstream();
    }
    std::vector<json::object> lose_and_next()
    {
        lose();
        return next_service();
    }

    void hear(std::int64_t ms, std::int16_t value = 1000) { session.on_client_audio(pcm_ms(ms, audio::realtime_hz, value), clock.now); }
    void started(std::string_view item, std::int64_t ms)
    {
        upstream({{"type", "input_audio_buffer.speech_started"}, {"item_id", item}, {"audio_start_ms", ms}});
    }
    void committed(std::string_view item, std::int64_t end_ms)
    {
        upstream({{"type", "input_audio_buffer.speech_stopped"}, {"item_id", item}, {"audio_end_ms", end_ms}});
        commit(item);
    }
    void commit(std::string_view item)
    {
        upstream({{"type", "input_audio_buffer.committed"}, {"item_id", item}});
        upstream({{"type", "conversation.item.added"},
                  {"item", {{"id", item}, {"type", "message"}, {"role", "user"}, {"content", json::array{{{"type", "input_audio"}, {"transcript", nullptr}}}}}}});
    }
    void words(std::string_view item, std::string_view text)
    {
        upstream({{"type", "conversation.item.input_audio_transcription.completed"}, {"item_id", item}, {"transcript", text}});
    }
    /// `ms` of the user's voice that the service hears as one turn.
    void say(std::string_view item, std::int64_t ms, std::int16_t value = 1000)
    {
        hear(ms, value);
        to_upstream();
        started(item, said_ms_);
        said_ms_ += ms;
        committed(item, said_ms_);
        clock.advance(ms);
    }

    std::int64_t said_ms_ = 0;
};

std::vector<std::int16_t> samples_of(const std::vector<json::object>& events)
{
    std::vector<std::int16_t> samples;
    for (const auto& event : events) {
        const auto text = json::find_string(event, "audio");
        if (!text) continue;
        std::vector<std::byte> pcm(audio::base64_decoded_bytes_max(text->size()));
        const auto decoded = audio::base64_decode(*text, pcm.data());
        REQUIRE(decoded);
        for (std::size_t i = 0; i + 1 < decoded.bytes; i += 2)
            samples.push_back(static_cast<std::int16_t>(std::to_integer<int>(pcm[i]) | std::to_integer<int>(pcm[i + 1]) << 8));
    }
    return samples;
}

std::ptrdiff_t count_of(const std::vector<std::int16_t>& samples, std::int16_t value) { return std::count(samples.begin(), samples.end(), value); }

std::ptrdiff_t count_of(const std::vector<json::object>& events, std::string_view type)
{
    const Strings all = types(events);
    return std::count(all.begin(), all.end(), type);
}

constexpr std::ptrdiff_t samples_of_ms(std::int64_t ms) { return ms * audio::realtime_hz / 1000; }

}  // namespace

TEST_CASE("audio that leaves in a burst is what was said, whatever has to be kept of it")
{
    Lasting s;
    for (int turn = 0; turn < 20; ++turn) {
        s.clock.advance(turn % 2 == 0 ? 310 : 2'500);
        const auto value = static_cast<std::int16_t>(100 + turn);
        s.hear(400 + 37 * turn, value);
        const auto samples = samples_of(s.to_upstream());
        CHECK(std::ssize(samples) == samples_of_ms(400 + 37 * turn));
        CHECK(count_of(samples, value) == std::ssize(samples));
    }
}

TEST_CASE("a turn that nobody has understood is said again at every loss, whole and once")
{
    Lasting s;
    s.hear(500, 7);
    s.to_upstream();
    s.said_ms_ = 500;
    s.say("item_1", 600, 8);
    s.to_client();
    s.lose();
    CHECK(count_of(s.to_client().events, "conversation.item.deleted") == 1);
    auto told = s.next_service();
    CHECK(count_of(samples_of(told), 8) == samples_of_ms(600));
    CHECK(count_of(samples_of(told), 7) == 0);
    CHECK(count_of(told, "response.create") == 0);  // the service answers what it hears

    told = s.lose_and_next();
    CHECK(count_of(samples_of(told), 8) == samples_of_ms(600));
    s.started("item_2", 0);
    told = s.lose_and_next();
    CHECK(count_of(samples_of(told), 8) == samples_of_ms(600));
    s.started("item_3", 0);
    s.committed("item_3", 600);
    s.words("item_3", "여보세요");
    CHECK(count_of(s.to_client().events, "conversation.item.deleted") == 0);
    told = s.lose_and_next();
    CHECK(count_of(samples_of(told), 8) == 0);
    CHECK(count_of(told, "response.create") == 1);
}

TEST_CASE("what is said after a turn that waits for its words comes behind it")
{
    Lasting s;
    s.say("item_1", 600, 8);
    s.hear(400, 9);
    s.to_upstream();
    s.started("item_2", 600);
    s.hear(200, 9);
    const auto samples = samples_of(s.lose_and_next());
    CHECK(count_of(samples, 8) == samples_of_ms(600));
    CHECK(count_of(samples, 9) == samples_of_ms(600));
    CHECK(std::is_sorted(samples.begin(), samples.end()));
}

TEST_CASE("an answered turn without words is told as sound, and is not answered again")
{
    Lasting s;
    s.say("item_1", 600, 8);
    s.reply("item_reply", 400, true);
    s.to_client();
    const auto told = s.lose_and_next();
    REQUIRE(count_of(told, "conversation.item.create") >= 1);
    const auto sound = std::find_if(told.begin(), told.end(), [](const auto& event) { return json::find_string(event, "item.id") == "item_1"; });
    REQUIRE(sound != told.end());
    CHECK(json::find_string(*sound, "item.content.0.type").value_or("input_audio") == "input_audio");
    CHECK(count_of(samples_of(told), 8) == 0);
    CHECK(count_of(told, "response.create") == 0);
}

TEST_CASE("an answer that is lost to a typed turn is asked for again, though an older spoken one has no words")
{
    Lasting s;
    s.say("item_1", 600, 8);
    s.reply("item_reply", 400, true);
    s.client({{"type", "conversation.item.create"}, {"item", {{"type", "message"}, {"role", "user"}, {"content", json::array{{{"type", "input_text"}, {"text", "hi"}}}}}}});
    s.client({{"type", "response.create"}});
    s.to_upstream();
    s.reply("item_second", 0, false, "resp_2");
    const auto told = s.lose_and_next();
    CHECK(count_of(told, "response.create") == 1);
    CHECK(count_of(samples_of(told), 8) == 0);
}

TEST_CASE("a reply whose sound came to its end is whole, though the service was lost before it said so")
{
    Lasting s;
    s.say("item_1", 600, 8);
    s.words("item_1", "hello");
    s.reply("item_reply", 200, false);
    const bool ended = GENERATE(true, false);
    if (ended) s.upstream({{"type", "response.output_audio.done"}, {"response_id", "resp_1"}, {"item_id", "item_reply"}, {"content_index", 0}});
    s.to_client();
    s.lose();
    CHECK(count_of(s.to_client().events, "audio.clear") == (ended ? 0 : 1));
    CHECK(count_of(s.next_service(), "response.create") == (ended ? 0 : 1));
}

TEST_CASE("a turn that calls a function is not said again behind its call")
{
    Lasting s;
    s.say("item_1", 600, 8);
    s.upstream({{"type", "response.created"}, {"response", json::object{{"id", "resp_1"}, {"conversation_id", "conv_1"}}}});
    s.upstream({{"type", "response.output_item.done"},
                {"response_id", "resp_1"},
                {"item", {{"id", "item_call"}, {"type", "function_call"}, {"status", "completed"}, {"call_id", "call_1"}, {"name", "look_up"}, {"arguments", "{}"}}}});
    const auto told = s.lose_and_next();
    CHECK(count_of(samples_of(told), 8) == 0);
    CHECK(count_of(told, "response.create") == 0);  // the client sends the output, and asks
}

TEST_CASE("what waited to be sent first to a service that is gone is not sent to the next one")
{
    Lasting s;
    s.say("item_1", 600, 8);
    s.words("item_1", "hello");
    s.reply("item_reply", 2'000, false);
    s.to_client();
    s.clock.advance(500);
    s.started("item_2", 600);  // cuts the reply: a truncate waits
    const auto told = s.lose_and_next();
    CHECK(count_of(told, "conversation.item.truncate") == 0);

    // Lost again before anything left: told once nevertheless.
    s.lose();
    s.upstream({{"type", "session.created"}, {"session", json::object{{"model", "gpt-test"}}}});
    s.to_upstream();
    s.upstream({{"type", "session.updated"}, {"session", json::object{{"id", "sess_next"}}}});
    const auto again = s.lose_and_next();
    CHECK(again.size() <= told.size());
    Strings ids;
    for (const auto& event : again)
        if (const auto id = json::find_string(event, "item.id")) ids.emplace_back(*id);
    std::sort(ids.begin(), ids.end());
    CHECK(std::adjacent_find(ids.begin(), ids.end()) == ids.end());
}

TEST_CASE("a service that says everything twice leaves one turn, said again once")
{
    Lasting s;
    s.hear(600, 8);
    s.to_upstream();
    for (int time = 0; time < 2; ++time) s.started("item_1", 0);
    for (int time = 0; time < 2; ++time)
        s.upstream({{"type", "input_audio_buffer.speech_stopped"}, {"item_id", "item_1"}, {"audio_end_ms", 600}});
    for (int time = 0; time < 2; ++time) s.commit("item_1");
    s.to_client();
    s.lose();
    CHECK(count_of(s.to_client().events, "conversation.item.deleted") == 1);
    CHECK(count_of(samples_of(s.next_service()), 8) == samples_of_ms(600));
}

TEST_CASE("push-to-talk: audio, commit and response.create leave again until the words are known, in their order")
{
    Lasting s(lasting(false));
    s.hear(600, 8);
    s.client({{"type", "input_audio_buffer.commit"}});
    s.client({{"type", "response.create"}});
    const Strings order{"input_audio_buffer.append", "input_audio_buffer.commit", "response.create"};
    const auto behind_notes = [](const std::vector<json::object>& events) {
        Strings all;
        for (const auto& type : types(events))
            if (type != "conversation.item.create") all.push_back(type);
        return all;
    };
    CHECK(types(s.to_upstream()) == order);
    CHECK(behind_notes(s.lose_and_next()) == order);
    s.commit("item_1");
    auto told = s.lose_and_next();
    CHECK(behind_notes(told) == order);
    CHECK(count_of(samples_of(told), 8) == samples_of_ms(600));
    s.commit("item_2");
    s.words("item_2", "hello");
    s.hear(400, 9);
    s.to_upstream();
    told = s.lose_and_next();
    CHECK(count_of(samples_of(told), 8) == 0);
    CHECK(count_of(samples_of(told), 9) == samples_of_ms(400));
    CHECK(count_of(told, "input_audio_buffer.commit") == 0);
    CHECK(count_of(told, "response.create") == 1);
}

TEST_CASE("what the user does while the next service starts does not disturb its start")
{
    Lasting s;
    s.say("item_1", 600, 8);
    s.words("item_1", "hello");
    s.reply("item_reply", 5'000, true);
    s.to_client();
    s.clock.advance(1'000);
    s.lose();
    s.upstream({{"type", "session.created"}, {"session", json::object{{"model", "gpt-test"}}}});
    const auto begun = s.to_upstream();
    REQUIRE(types(begun) == Strings{"session.update"});
    s.client({{"type", "response.cancel"}});
    CHECK(count_of(s.to_client().events, "audio.clear") == 1);
    CHECK(s.to_upstream().empty());
    // About something that was sent to another.
    s.upstream({{"type", "error"}, {"error", {{"code", "item_truncate_invalid_item_id"}, {"message", "x"}, {"event_id", "repartee_77"}}}});
    CHECK_FALSE(s.session.wants_upstream());
    s.upstream({{"type", "session.updated"}, {"session", json::object{{"id", "sess_next"}}}});
    CHECK(s.session.is_live());
    const auto told = s.to_upstream();
    CHECK(count_of(told, "conversation.item.create") >= 1);
    CHECK(count_of(told, "conversation.item.truncate") == 0);
    CHECK(count_of(told, "conversation.item.delete") == 0);

    SECTION("a refusal of the session itself is one")
    {
        s.lose();
        s.upstream({{"type", "session.created"}, {"session", json::object{{"model", "gpt-test"}}}});
        const std::string event_id(json::find_string(s.to_upstream().at(0), "event_id").value());
        s.upstream({{"type", "error"}, {"error", {{"code", "invalid_value"}, {"message", "No such voice."}, {"event_id", event_id}}}});
        CHECK(s.session.wants_upstream());
    }
}

TEST_CASE("nobody is asked for an answer before a turn that is said again was heard, and the answer that is due comes then")
{
    Lasting s;
    s.say("item_1", 600, 8);
    s.words("item_1", "hello");
    s.client({{"type", "conversation.item.create"}, {"item", {{"type", "message"}, {"role", "user"}, {"content", json::array{{{"type", "input_text"}, {"text", "hi"}}}}}}});
    s.reply("item_reply", 200, false);
    s.hear(600, 9);
    s.to_upstream();
    s.client({{"type", "session.update"}, {"session", {{"type", "realtime"}}}});
    s.started("item_2", 600);
    s.client({{"type", "response.create"}, {"response", {{"instructions", "Whisper."}}}});
    CHECK(count_of(s.lose_and_next(), "response.create") == 0);
    s.started("item_3", 0);
    s.committed("item_3", 600);
    s.words("item_3", "what?");
    CHECK(count_of(s.to_upstream(), "response.create") == 0);
    s.reply("item_answer", 200, true, "resp_2");
    CHECK(count_of(s.to_upstream(), "response.create") == 1);  // with what the client wants of it
}

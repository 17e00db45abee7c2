#include "talk.hpp"

using namespace test;

namespace {

/// A service whose words come long before their sound.
ServiceManner words_before_sound()
{
    ServiceManner manner;
    manner.words_first = true;
    manner.transcript_after = milliseconds(50);
    manner.delta_every = milliseconds(600);
    return manner;
}

/// Up to the first word of an answer, of which there is no sound.
std::string first_word(Talk& talk)
{
    talk.run(500);
    talk.speak(1'000);
    REQUIRE(talk.run_until([&] { return talk.count("response.output_audio_transcript.delta") == 1; }));
    talk.run(100);
    CHECK(talk.service->made_ms() == 0);
    return talk.said.reply_order.at(0);
}

Strings roles_told(const FakeService& service)
{
    Strings roles;
    for (const auto& item : service.told)
        if (item.role != "system") roles.push_back(item.role);
    return roles;
}

std::size_t deletions_of(const std::vector<json::object>& events, const std::string& item_id)
{
    return static_cast<std::size_t>(std::count_if(events.begin(), events.end(), [&](const auto& e) { return json::find_string(e, "item_id") == item_id; }));
}

}  // namespace

TEST_CASE("words that came without any sound were not heard: the next service is not told them, and their item goes")
{
    Talk talk(Talk::lasting(), words_before_sound());
    const std::string item = first_word(talk);
    talk.manner = ServiceManner();
    talk.lose();
    CHECK(deletions_of(talk.got("conversation.item.deleted"), item) == 1);
    REQUIRE(talk.run_until([&] { return talk.service && talk.session->is_live(); }));
    talk.run(200);
    CHECK(roles_told(*talk.service) == Strings{"user"});
    CHECK(talk.service->creates.size() == 1);
    REQUIRE(talk.run_until_quiet());
    CHECK(deletions_of(talk.got("conversation.item.deleted"), item) == 1);
    CHECK(talk.count("audio.clear") == 0);
    REQUIRE(talk.said.reply_order.size() == 2);
    CHECK(talk.speaker.order == Strings{talk.said.reply_order[1]});

    // Nor is it told later, and of the record it is a line that nobody heard, if any.
    talk.lose();
    REQUIRE(talk.run_until([&] { return talk.service && talk.session->is_live(); }));
    CHECK(roles_told(*talk.service) == Strings{"user", "assistant"});
    talk.session->close(talk.clock.now);
    for (const auto& [number, line] : talk.record->by_number) {
        if (line.item_id != item) continue;
        CHECK(line.heard == "");
        CHECK(line.cut);
    }
}

TEST_CASE("words without sound behind a reply that is still played are not told to the next service")
{
    Talk talk(Talk::lasting(), words_before_sound());
    talk.service->manner.delta_every = milliseconds(50);
    talk.speak(1'000);
    REQUIRE(talk.run_until([&] { return talk.count("response.done") == 1; }));
    talk.service->manner.delta_every = milliseconds(600);
    talk.tell({{"type", "response.create"}});
    REQUIRE(talk.run_until([&] { return talk.said.reply_order.size() == 2; }));
    talk.run(40);
    const std::string first = talk.said.reply_order[0], second = talk.said.reply_order[1];
    CHECK(talk.speaker.heard_ms(first) < 2'000);
    talk.manner = ServiceManner();
    talk.lose();
    CHECK(deletions_of(talk.got("conversation.item.deleted"), second) == 1);
    REQUIRE(talk.run_until([&] { return talk.service && talk.session->is_live(); }));
    CHECK(roles_told(*talk.service) == Strings{"user", "assistant"});
    REQUIRE(talk.run_until_quiet());
    CHECK(talk.speaker.heard_ms(first) == 2'000);
    CHECK(talk.count("audio.clear") == 0);
    CHECK(talk.speaker.order == Strings{first, talk.said.reply_order.back()});
}

TEST_CASE("a reply that is cut before its first sound leaves no words behind, here or with the next service")
{
    for (const bool by_voice : {true, false}) {
        INFO((by_voice ? "by the user's voice" : "by response.cancel"));
        Talk talk(Talk::lasting(), words_before_sound());
        const std::string item = first_word(talk);
        if (by_voice)
            talk.speak(800);
        else
            talk.tell({{"type", "response.cancel"}});
        REQUIRE(talk.run_until([&] { return talk.count("response.done") == 1; }));
        talk.run(100);
        CHECK(deletions_of(talk.service->deletes, item) == 1);
        CHECK(deletions_of(talk.got("conversation.item.deleted"), item) == 1);
        REQUIRE(talk.run_until([&] { return !talk.is_speaking(); }));
        talk.run(1'000);
        REQUIRE(talk.run_until_quiet());
        CHECK(talk.service->complaints == Strings{});
        CHECK(talk.speaker.heard_samples(item) == 0);
        talk.lose();
        REQUIRE(talk.run_until([&] { return talk.service && talk.session->is_live(); }));
        CHECK(roles_told(*talk.service) == (by_voice ? Strings{"user", "user", "assistant"} : Strings{"user"}));
        CHECK(talk.count("error") == 0);
    }
}

TEST_CASE("a reply whose sound has come keeps its words, though words came first")
{
    Talk talk(Talk::lasting(), words_before_sound());
    talk.turn_and_reply();
    CHECK(talk.service->deletes.empty());
    CHECK(talk.count("conversation.item.deleted") == 0);
    talk.lose();
    REQUIRE(talk.run_until([&] { return talk.service && talk.session->is_live(); }));
    REQUIRE(roles_told(*talk.service) == Strings{"user", "assistant"});
    CHECK(talk.service->told.back().text == talk.said.replies.at(talk.said.reply_order[0]).text);
}

TEST_CASE("what comes yet of a reply that a voice has cut before its first sound is not heard")
{
    Script s;
    s.live().reply("item_a", 0, false).speech_started();
    s.to_client();
    s.upstream_text(delta_event("item_a", 300));
    CHECK(s.to_client().bytes == 0);
    s.upstream({{"type", "response.done"}, {"response", json::object{{"id", "resp_1"}, {"status", "cancelled"}}}});
    CHECK(types(s.to_upstream()) == Strings{"conversation.item.delete"});
}

namespace {

json::object words_event(std::string_view type, std::string_view member, std::string_view text)
{
    return {{"type", type}, {"response_id", "resp_1"}, {"item_id", "item_a"}, {"content_index", 0}, {member, text}};
}

const json::object first_words = words_event("response.output_audio_transcript.delta", "delta", "Hello there");
const json::object all_words = words_event("response.output_audio_transcript.done", "transcript", "Hello there");

Script& begin_aside(Script& s)
{
    s.client({{"type", "response.create"}, {"response", json::object{{"conversation", "none"}}}}).to_upstream();
    return s.upstream({{"type", "response.created"}, {"response", json::object{{"id", "resp_aside"}, {"conversation_id", nullptr}}}});
}

std::size_t deletions_at_a_loss(Script& s)
{
    s.to_client();
    s.session.on_upstream_lost({Code::closed, "gone"}, s.clock.now);
    return deletions_of(s.to_client().events, "item_a");
}

}  // namespace

TEST_CASE("words that come only after the cut leave nothing behind either")
{
    for (const json::object& words : {first_words, all_words}) {
        Script s(Talk::lasting());
        s.live().reply("item_a", 0, false).client({{"type", "response.cancel"}}).to_upstream();
        s.upstream(words).upstream({{"type", "response.done"}, {"response", json::object{{"id", "resp_1"}, {"status", "cancelled"}}}});
        CHECK(types(s.to_upstream()) == Strings{"conversation.item.delete"});
    }
}

TEST_CASE("a response beside the conversation changes nothing about which words were heard")
{
    Script silent(Talk::lasting()), heard(Talk::lasting());
    begin_aside(silent.live().reply("item_a", 0, false).upstream(first_words));
    silent.upstream({{"type", "response.done"}, {"response", json::object{{"id", "resp_aside"}, {"status", "completed"}}}});
    CHECK(deletions_at_a_loss(silent) == 1);

    begin_aside(heard.live().reply("item_a", 3'000, false).upstream(first_words));
    heard.upstream_text(delta_event("item_aside", 100, "resp_aside")).upstream(first_words);
    CHECK(deletions_at_a_loss(heard) == 0);
}

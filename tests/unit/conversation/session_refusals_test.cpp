#include "talk.hpp"

using namespace test;

namespace {

json::object update_of(json::object session, std::string_view event_id = {})
{
    session["type"] = "realtime";
    json::object event{{"type", "session.update"}, {"session", std::move(session)}};
    if (!event_id.empty()) event["event_id"] = event_id;
    return event;
}

/// Refuses every session that says so.
ServiceManner strict()
{
    ServiceManner manner;
    manner.refuses_update = [](const json::object& session) { return session.contains("foo"); };
    return manner;
}

/// An event with this id, or with none.
json::object named(json::object event, std::string_view event_id)
{
    if (!event_id.empty()) event["event_id"] = event_id;
    return event;
}

json::object with_item(json::object item) { return {{"type", "conversation.item.create"}, {"item", std::move(item)}}; }

void check_goes_on(Talk& talk)
{
    REQUIRE(talk.run_until([&] { return talk.service && talk.session->is_live(); }, 5'000));
    const std::size_t replies = talk.said.reply_order.size();
    talk.turn_and_reply();
    CHECK(talk.said.reply_order.size() == replies + 1);
    CHECK(talk.service->complaints == Strings{});
    CHECK(!talk.session->ending());
}

Strings texts_told(const FakeService& service)
{
    Strings texts;
    for (const auto& item : service.told)
        if (item.role != "system") texts.push_back(item.role + " " + item.text);
    return texts;
}

}  // namespace

// ── session.update ───────────────────────────────────────────────────────────────────────────────────────────────────────────

TEST_CASE("an update that the service refused is not told to the next one, and the others are")
{
    for (const bool rotates : {false, true}) {
        for (const char* event_id : {"", "event_of_the_client"}) {
            INFO((rotates ? "rotation" : "loss") << ", the client's event_id: " << event_id);
            auto settings = Talk::lasting();
            if (rotates) settings.recovery.rotate_age = milliseconds(20'000);
            Talk talk(settings, strict());
            talk.turn_and_reply();
            talk.tell(update_of({{"max_output_tokens", 300}, {"tool_choice", "none"}}));
            talk.tell(update_of({{"max_output_tokens", 500}, {"foo", 1}}, event_id));
            talk.tell(update_of({{"tool_choice", "auto"}}));
            talk.run(500);
            CHECK(talk.count("session.updated") == 2);
            REQUIRE(talk.count("error") == 1);
            CHECK(json::find_string(talk.got("error")[0], "error.event_id").value_or("") == event_id);
            CHECK(talk.service->complaints.size() == 1);

            if (rotates)
                REQUIRE(talk.run_until([&] { return talk.rotations == 1; }, 30'000));
            else
                talk.lose();
            check_goes_on(talk);
            CHECK(talk.old.size() == 1);
            CHECK(json::find_int(talk.service->session, "max_output_tokens") == 300);
            CHECK(json::find_string(talk.service->session, "tool_choice") == "auto");
            CHECK(!talk.service->session.contains("foo"));
            CHECK(talk.count("session.updated") == 2);
            CHECK(talk.count("error") == 1);
        }
    }
}

TEST_CASE("an update that was not answered when the service was lost is answered by the next one, once")
{
    for (const char* event_id : {"", "event_of_the_client"}) {
        for (const bool refused : {false, true}) {
            INFO((refused ? "refused" : "agreed") << ", the client's event_id: " << event_id);
            Talk talk(Talk::lasting(), strict());
            talk.turn_and_reply();
            talk.service->manner.update_after = milliseconds(10'000);
            talk.service->manner.refuses_update = {};
            json::object session{{"max_output_tokens", 300}};
            if (refused) session["foo"] = 1;
            talk.tell(update_of(session, event_id));
            talk.run(200);
            CHECK(talk.count("session.updated") == 0);
            talk.lose();
            talk.run(1'000);
            CHECK(talk.count("session.updated") == (refused ? 0 : 1));
            CHECK(talk.count("error") == (refused ? 1 : 0));
            CHECK(json::find_int(talk.service->session, "max_output_tokens").value_or(0) == (refused ? 0 : 300));

            talk.lose();
            check_goes_on(talk);
            CHECK(talk.count("session.updated") == (refused ? 0 : 1));
            CHECK(talk.count("error") == (refused ? 1 : 0));
            CHECK(json::find_int(talk.service->session, "max_output_tokens").value_or(0) == (refused ? 0 : 300));
        }
    }
}

TEST_CASE("updates made while there is no service are answered by the next one")
{
    Talk talk(Talk::lasting(), strict());
    talk.turn_and_reply();
    talk.lose();
    talk.tell(update_of({{"max_output_tokens", 300}}));
    talk.tell(update_of({{"foo", 1}}));
    talk.run(1'000);
    CHECK(talk.count("session.updated") == 1);
    CHECK(talk.count("error") == 1);
    talk.lose();
    check_goes_on(talk);
    CHECK(json::find_int(talk.service->session, "max_output_tokens") == 300);
    CHECK(talk.count("error") == 1);
}

TEST_CASE("what one service agreed to and the next one does not, is left out, and the conversation goes on")
{
    Talk talk;
    talk.turn_and_reply();
    talk.tell(update_of({{"foo", 1}}));
    talk.run(500);
    CHECK(talk.count("session.updated") == 1);
    talk.manner = strict();
    talk.lose();
    talk.run(200);
    REQUIRE(talk.service);
    CHECK(talk.service->complaints.size() == 1);
    REQUIRE(talk.session->refusal());
    CHECK(talk.session->wants_upstream());
    talk.lose();
    check_goes_on(talk);
    CHECK(!talk.session->refusal());
}

// ── items ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

TEST_CASE("an item that the service refused is not sent to the next one, nor is any other refused event")
{
    struct Row {
        const char* what;
        json::object event;
    };
    json::object twice = typed("Twice.");
    twice["item"].as_object()["id"] = "item_once";
    json::object nowhere = typed("Nowhere.");
    nowhere["previous_item_id"] = "item_nowhere";
    const Row rows[] = {
        {"an output without its call", with_item({{"type", "function_call_output"}, {"call_id", "call_nobody"}, {"output", "open"}})},
        {"an item behind one that is not there", nowhere},
        {"an id for the second time", twice},
        {"deletion of what is not there", {{"type", "conversation.item.delete"}, {"item_id", "item_nowhere"}}},
    };
    for (const Row& row : rows) {
        for (const char* event_id : {"", "event_of_the_client"}) {
            INFO(row.what << ", the client's event_id: " << event_id);
            Talk talk;
            talk.turn_and_reply();
            json::object once = typed("Once.");
            once["item"].as_object()["id"] = "item_once";
            talk.tell(once);
            talk.run(200);
            CHECK(talk.count("error") == 0);
            talk.tell(named(row.event, event_id));
            talk.run(200);
            REQUIRE(talk.count("error") == 1);
            CHECK(json::find_string(talk.got("error")[0], "error.event_id").value_or("") == event_id);
            const Strings before{"user " + talk.words_of(1), "assistant " + talk.said.replies.at(talk.said.reply_order[0]).text, "user Once."};
            for (int loss = 0; loss < 2; ++loss) {
                talk.lose();
                REQUIRE(talk.run_until([&] { return talk.service && talk.session->is_live(); }, 5'000));
                talk.run(200);
                CHECK(talk.service->complaints == Strings{});
                CHECK(texts_told(*talk.service) == before);
                CHECK(talk.service->items.size() == talk.service->told.size());
                CHECK(talk.service->deletes.empty());
            }
            CHECK(talk.count("error") == 1);
            check_goes_on(talk);
        }
    }
}

TEST_CASE("an item that no service has answered is sent to the next one, beside one that was refused")
{
    Talk talk;
    talk.turn_and_reply();
    talk.tell(named(with_item({{"type", "function_call_output"}, {"call_id", "call_nobody"}, {"output", "open"}}), "event_refused"));
    talk.run(200);
    CHECK(talk.count("error") == 1);
    talk.session->hold_upstream(true);
    talk.tell(named(typed("Kept."), "event_kept"));
    talk.lose();
    talk.run(500);
    REQUIRE(talk.session->is_live());
    REQUIRE(!talk.service->items.empty());
    CHECK(talk.service->items.back().text == "Kept.");
    CHECK(talk.service->complaints == Strings{});
    CHECK(talk.count("error") == 1);
}

#include "repartee/conversation/reply_owner.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <deque>
#include <random>
#include <set>
#include <string>
#include <vector>

using namespace repartee;
using conversation::Create;
using conversation::ReplyOwner;
using Cancel = ReplyOwner::Cancel;
using Verdict = ReplyOwner::Verdict;

namespace {

const Instant start{std::chrono::hours(1)};
Instant at(std::int64_t ms) { return start + milliseconds(ms); }

Create client(std::string id, bool bare)
{
    Create create{.event_id = std::move(id), .by_client = true, .bare = bare};
    create.text = "create " + create.event_id;
    return create;
}

Create aside(std::string id)
{
    Create create = client(std::move(id), false);
    create.out_of_band = true;
    return create;
}

json::object response(std::string_view id, json::value conversation) { return {{"id", id}, {"conversation_id", std::move(conversation)}}; }

struct Faults {
    bool vad = false, interrupts = false, quotes = true, says_cannot = true, repeats = false, swallows = false;
};

/// A service at the end of a line with delay in both directions, as the reference describes it.
class Service {
public:
    explicit Service(Faults faults) : faults_(faults) {}

    struct Said {
        std::string type, id{}, code{}, quoted{};
        bool out_of_band = false;
    };
    std::deque<std::string> to_it;  ///< "create ID", "aside ID", "cancel ID", "item ID", "commit", "voice", "silence"
    std::deque<Said> from_it;
    int refused_creates = 0;
    std::vector<std::string> accepted;        ///< event ids
    std::int64_t turns_committed = 0, last_answer_at = -1, last_turn_at = -1, tick = 0;
    std::string last_turn;
    bool speaking = false;

    void take_one()
    {
        if (to_it.empty()) return;
        ++tick;
        const std::string text = to_it.front();
        to_it.pop_front();
        const std::string id = text.substr(std::min(text.size(), text.find(' ') + 1));
        if (text.starts_with("create")) {
            if (faults_.swallows && tick % 7 == 0) return;
            if (!active_.empty()) {
                ++refused_creates;
                return say({"error", "", "conversation_already_has_active_response", faults_.quotes ? id : ""});
            }
            accepted.push_back(id);
            begin();
        } else if (text.starts_with("aside")) {
            accepted.push_back(id);
            const std::string made = "X" + std::to_string(++made_);
            say({"created", made, "", "", true});
            aside_.push_back(made);
        } else if (text.starts_with("cancel")) {
            if (active_.empty() || (!id.empty() && id != active_)) return say({"error", "", "response_cancel_not_active", ""});
            finish();
        } else if (text.starts_with("item")) {
            say({"added", id});
        } else if (text == "voice") {
            begin_speech();
        } else if (text == "silence") {
            end_speech();
        } else if (text == "commit") {
            say({"committed", "m" + std::to_string(++turns_committed)});
        }
    }
    void work(unsigned dice)
    {
        ++tick;
        if (dice % 3 == 0 && !aside_.empty()) {
            say({"done", aside_.front()});
            aside_.pop_front();
        }
        if (dice % 3 == 1 && !active_.empty()) finish();
    }
    bool idle() const { return to_it.empty() && from_it.empty() && active_.empty() && aside_.empty(); }

private:
    void begin_speech()
    {
        if (!faults_.vad || speaking) return;
        ++tick;
        speaking = true;
        say({"started", ""});
        if (faults_.interrupts && !active_.empty()) finish();
    }
    void end_speech()
    {
        if (!speaking) return;
        ++tick;
        speaking = false;
        say({"stopped", ""});
        last_turn = "u" + std::to_string(++turns_committed);
        say({"committed", last_turn});
        last_turn_at = tick;
        if (active_.empty()) return begin();
        if (faults_.says_cannot) say({"error", "", "conversation_already_has_active_response", ""});
    }
    void say(Said said)
    {
        from_it.push_back(said);
        if (faults_.repeats && tick % 5 == 0 && (said.type == "created" || said.type == "done")) from_it.push_back(said);
    }
    void begin()
    {
        active_ = "R" + std::to_string(++made_);
        last_answer_at = tick;
        say({"created", active_});
    }
    void finish()
    {
        say({"done", active_});
        active_.clear();
    }

    Faults faults_;
    std::string active_;
    std::deque<std::string> aside_;
    int made_ = 0;
};

}  // namespace

TEST_CASE("whatever the order: never two creates outstanding, and each one asked for is answered or dropped for a reason")
{
    std::mt19937 random(11);
    const auto any = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
    std::uint64_t refused_total = 0, owed_total = 0, answered_total = 0, held_total = 0;
    for (int round = 0; round < 4'000; ++round) {
        INFO("round " << round);
        const Faults faults{.vad = any(2) == 1, .interrupts = any(2) == 1, .quotes = any(4) != 0, .says_cannot = any(2) == 1,
            .repeats = any(3) == 0, .swallows = any(5) == 0};
        Service service(faults);
        ReplyOwner replies;
        replies.on_upstream_ready(at(0));
        std::int64_t ms = 0;
        std::uint64_t asked = 0, asked_aside = 0;
        std::set<std::string> outstanding;
        bool client_cancelled = false, unanswered_drop = false;

        const auto pump = [&] {
            for (int i = 0;; ++i) {
                REQUIRE(i < 50);
                const auto create = replies.next(at(ms));
                while (const auto id = replies.take_settled()) outstanding.erase(*id);
                if (!create) break;
                service.to_it.push_back((create->out_of_band ? "aside " : "create ") + create->event_id);
                if (!create->out_of_band) {
                    outstanding.insert(create->event_id);
                    REQUIRE(outstanding.size() <= 1);
                }
            }
            while (const auto id = replies.take_settled()) outstanding.erase(*id);
            if (const auto wake = replies.wake_at()) REQUIRE(*wake > at(ms));
        };
        const auto hear_one = [&] {
            if (service.from_it.empty()) return;
            const Service::Said said = service.from_it.front();
            service.from_it.pop_front();
            if (said.type == "created") {
                const auto created = replies.on_created(response(said.id, said.out_of_band ? json::value(nullptr) : json::value("conv")), at(ms));
                if (created.unwanted && replies.on_cancel(said.id, at(ms)) == Cancel::send_first) service.to_it.push_front("cancel " + said.id);
            }
            if (said.type == "done") replies.on_done(said.id, at(ms));
            if (said.type == "added") replies.on_item_added(said.id);
            if (said.type == "started") replies.on_speech_started(true, faults.interrupts, at(ms));
            if (said.type == "stopped") replies.on_speech_stopped(true, at(ms));
            if (said.type == "committed") replies.on_committed(said.id, true, at(ms));
            if (said.type == "error") CHECK((replies.on_error(said.code, "", said.quoted,
                at(ms)) == Verdict::harmless || faults.swallows || !faults.quotes || faults.vad));
            pump();
        };
        const auto push_cancel = [&](Cancel cancel) {
            if (cancel == Cancel::send_first) service.to_it.push_front("cancel ");
            if (cancel == Cancel::send_behind) service.to_it.push_back("cancel ");
        };

        for (int i = 0; i < 120; ++i) {
            ms += any(40);
            switch (any(16)) {
                case 0:
                case 1:
                    replies.ask(client("c" + std::to_string(asked++), any(2) == 0), at(ms));
                    break;
                case 2: {
                    const std::string item = "o" + std::to_string(i);
                    replies.on_item_sent(item, "e" + item);
                    service.to_it.push_back("item " + item);
                    replies.ask(client("c" + std::to_string(asked++), true), at(ms));
                    break;
                }
                case 3:
                    if (replies.ask(aside("x" + std::to_string(asked_aside)), at(ms))) ++asked_aside;
                    break;
                case 4:
                    if (any(3) == 0) {
                        push_cancel(replies.on_cancel("", at(ms)));
                        client_cancelled = true;
                    }
                    break;
                case 5: service.to_it.push_back("voice"); break;  // in the same line as the rest
                case 6: service.to_it.push_back("silence"); break;
                case 7:
                    if (any(3) == 0 && service.turns_committed > 0) {
                        const auto dropped = replies.on_turn_dropped("u" + std::to_string(service.turns_committed), at(ms));
                        if (dropped.cancel) service.to_it.push_front("cancel " + dropped.response_id);
                        unanswered_drop = true;
                    }
                    break;
                case 13:
                    if (any(3) == 0) push_cancel(replies.on_cut("u" + std::to_string(service.turns_committed), at(ms)));
                    break;
                case 8:
                    if (!faults.vad && any(3) == 0) {
                        replies.on_commit_sent();
                        service.to_it.push_back("commit");
                    }
                    break;
                case 9: service.work(any(6)); break;
                case 10:
                case 11: hear_one(); break;
                default: service.take_one(); break;
            }
            pump();
        }
        // Everything comes to an end.
        service.to_it.push_back("silence");
        for (int i = 0; i < 4'000 && !(service.idle() && !replies.is_busy()); ++i) {
            ms += 10;
            service.take_one();
            hear_one();
            if (i % 5 == 0) service.work(static_cast<unsigned>(i / 5));
            if (service.idle())
                if (const auto wake = replies.wake_at()) ms = std::max(ms, std::chrono::duration_cast<milliseconds>(*wake - start).count());
            pump();
        }
        REQUIRE(service.idle());
        REQUIRE_FALSE(replies.is_busy());
        REQUIRE(outstanding.empty());

        const auto& tally = replies.tally();
        const auto accepted = static_cast<std::uint64_t>(
            std::count_if(service.accepted.begin(), service.accepted.end(), [](const std::string& id) { return !id.starts_with("x"); }));
        const std::uint64_t dropped = tally.answered + tally.replaced + tally.cancelled + tally.stale + tally.refused + tally.never_created;
        if (faults.quotes && !faults.swallows) {
            INFO("asked " << asked << ", owed " << tally.owed << ", accepted " << accepted << ", answered " << tally.answered
                << ", replaced " << tally.replaced << ", cancelled "
                          << tally.cancelled << ", stale " << tally.stale << ", refused " << tally.refused
                              << ", never created " << tally.never_created);
            CHECK(asked + tally.owed == accepted + dropped);
            CHECK(tally.refused == 0);
            // Without turns of the service's own nothing is ever refused.
            if (!faults.vad) CHECK(service.refused_creates == 0);
            const bool answer_due = faults.vad && !client_cancelled && !unanswered_drop && service.last_turn_at >= 0;
            if (answer_due) CHECK(service.last_answer_at >= service.last_turn_at);
        }
        refused_total += static_cast<std::uint64_t>(service.refused_creates);
        owed_total += tally.owed;
        answered_total += tally.answered;
        held_total += tally.held;
    }
    // The rounds have been where it is difficult.
    CHECK(refused_total > 100);
    CHECK(owed_total > 100);
    CHECK(answered_total > 100);
    CHECK(held_total > 1'000);
}

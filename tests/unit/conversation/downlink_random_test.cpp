// Whatever happens, in whatever order: the client hears every sample once. The client here has a loudspeaker of its own, whose arithmetic is not the
// pacer's.
#include "../audio/signals.hpp"
#include "support.hpp"

#include <deque>
#include <map>

using namespace test;
using conversation::Downlink;
using conversation::DownlinkSettings;

namespace {

using Kind = Downlink::Next::Kind;
using std::chrono::nanoseconds;

std::int16_t sample_of(int item, std::size_t index)
{
    return static_cast<std::int16_t>(static_cast<std::uint16_t>(item * 20'011 + static_cast<int>(index % 50'000)));
}

int number_of(std::string_view item_id) { return std::stoi(std::string(item_id.substr(5))); }

/// What a game does with the wire: it plays what it gets, one item after the other, in real time.
struct Client {
    struct Piece {
        int item;
        std::size_t from, count;
    };

    void hear_until(Instant now)
    {
        std::size_t due = queue.empty() ? 0 : static_cast<std::size_t>((now - anchor).count() * 24 / 1'000'000) - since_anchor;
        while (due > 0 && !queue.empty()) {
            Piece& piece = queue.front();
            const std::size_t count = std::min(due, piece.count);
            REQUIRE(heard[piece.item] == piece.from);  // neither twice nor left out
            heard[piece.item] += count;
            last_item = piece.item;
            plays = true;
            piece.from += count;
            piece.count -= count;
            since_anchor += count;
            due -= count;
            if (piece.count == 0) queue.pop_front();
        }
    }

    std::size_t queued() const
    {
        std::size_t count = 0;
        for (const Piece& piece : queue) count += piece.count;
        return count;
    }

    /// When a frame that arrives now will be played.
    Instant plays_next(Instant now) const
    {
        if (queue.empty()) return now;
        return anchor + nanoseconds(static_cast<std::int64_t>((since_anchor + queued()) * 1'000'000 + 23) / 24);
    }

    void get_audio(std::span<const std::int16_t> samples, Instant now)
    {
        REQUIRE(receiving);
        INFO("item " << *receiving << " at " << next_index << ", heard until " << heard[*receiving]);
        if (returned_at && std::exchange(begins, false)) {
            // Where it said it was; earlier when it had been told, on the lost connection, to stand there. Never later.
            const std::pair place(*receiving, next_index);
            const bool as_said = place == *returned_at || (place.first > returned_at->first && next_index == 0);
            REQUIRE((as_said || (was_suspended && place < *returned_at)));
            heard[*receiving] = next_index;
        }
        REQUIRE(queue_end(*receiving) == next_index);
        if (queue.empty()) {
            anchor = now;
            since_anchor = 0;
        }
        for (std::size_t i = 0; i < samples.size(); ++i)
            if (samples[i] != sample_of(*receiving, next_index + i)) FAIL("item " << *receiving << " sample " << next_index + i);
        queue.push_back({*receiving, next_index, samples.size()});
        next_index += samples.size();
        got[*receiving] = next_index;
    }

    void get_event(std::string_view text)
    {
        const auto event = json::parse_object(text).value();
        const std::string type(json::find_string(event, "type").value());
        last_event_id = std::string(json::find_string(event, "event_id").value());
        if (type == "audio.start") {
            const int item = number_of(*json::find_string(event, "item_id"));
            const std::size_t offset = static_cast<std::size_t>(json::find_int(event, "offset_ms").value_or(0)) * 24;
            receiving = item;
            next_index = offset;
            begins = true;
        } else if (type == "audio.end") {
            const int item = number_of(*json::find_string(event, "item_id"));
            if (got[item] / 24 != static_cast<std::size_t>(*json::find_int(event, "audio_ms"))) ended_early.insert(item);
            ++ends[item];
        } else if (type == "done") {
            const int item = number_of(*json::find_string(event, "item_id"));
            ++dones[item];
        } else if (type == "audio.clear") {
            // Told before the client came back and said where it is: then that is what counts.
            if (std::stoi(last_event_id.substr(6)) < first_clear) return;
            returned_at.reset();
            queue.clear();
            receiving.reset();
            plays = false;
            const int item = number_of(*json::find_string(event, "item_id"));
            heard[item] = static_cast<std::size_t>(*json::find_int(event, "audio_end_ms")) * 24;
            last_item = item;
            // What lies before that counts as heard: of an item that was not reported, the model decides, and it is ahead by the wire's delay.
            for (auto& [earlier, count] : heard)
                if (earlier < item && whole_length.contains(earlier) && count + 600 > whole_length[earlier]) count = whole_length[earlier];
            for (auto later = heard.upper_bound(item); later != heard.end(); ++later) later->second = 0;
            got = heard;
        } else {
            events.push_back(number_of(last_event_id));
        }
    }

    std::size_t queue_end(int item)
    {
        for (auto piece = queue.rbegin(); piece != queue.rend(); ++piece)
            if (piece->item == item) return piece->from + piece->count;
        return heard[item];
    }

    void lose_connection()
    {
        queue.clear();
        receiving.reset();
        plays = false;
        for (auto& [item, count] : heard) {
            const bool whole = whole_length.contains(item) && count == whole_length.at(item);
            if (!whole) count -= count % 24;
        }
        got = heard;
    }

    Instant anchor{};
    std::size_t since_anchor = 0;
    std::deque<Piece> queue;
    std::map<int, std::size_t> heard, got, whole_length;
    std::map<int, int> ends, dones;
    std::set<int> ended_early;
    std::optional<int> receiving;
    std::size_t next_index = 0;
    int last_item = -1;
    std::string last_event_id;
    int first_clear = 0;
    bool plays = false, begins = false, was_suspended = false;
    std::optional<std::pair<int, std::size_t>> returned_at;
    std::vector<int> events;
};

struct Chance {
    audio::signals::Noise noise;
    bool one_in(std::size_t n) { return noise.below(n) == 0; }
    std::int64_t between(std::int64_t low, std::int64_t high)
    {
        return low + static_cast<std::int64_t>(noise.below(static_cast<std::size_t>(high - low + 1)));
    }
};

struct SpokenItem {
    std::size_t pushed = 0;  ///< samples
    bool ended = false, cut = false;
};

struct Run {
    Run(std::uint32_t seed, bool reports_) : chance{audio::signals::Noise(seed)}, reports(reports_), downlink(settings()) {}

    DownlinkSettings settings()
    {
        DownlinkSettings out;
        out.lead = milliseconds(chance.between(50, 500));
        if (chance.one_in(4)) out.lead.reset();
        out.suspends = true;
        out.resume.events_max = 4'000;
        out.resume.events_bytes_max = 4 << 20;
        return out;
    }

    std::string id(int item) const { return "item_" + std::to_string(item); }

    void say()
    {
        if (items.empty() || items.back().ended || items.back().cut) items.emplace_back();
        const int number = static_cast<int>(items.size()) - 1;
        SpokenItem& item = items.back();
        const auto samples = static_cast<std::size_t>(chance.between(1, chance.one_in(5) ? 20'000 : 2'000));
        std::vector<std::byte> bytes;
        for (std::size_t i = 0; i < samples; ++i, ++item.pushed) {
            const auto sample = static_cast<std::uint16_t>(sample_of(number, item.pushed));
            bytes.push_back(static_cast<std::byte>(sample & 0xFF));
            bytes.push_back(static_cast<std::byte>(sample >> 8));
        }
        const std::size_t split = chance.noise.below(bytes.size() + 1);  // within a sample, as often as not
        for (const auto part : {std::span(bytes).first(split), std::span(bytes).subspan(split)}) {
            const std::string text = base64(part);
            REQUIRE(downlink.push_audio({"resp", id(number), 0, 0, text}));
        }
    }

    void end()
    {
        if (items.empty() || items.back().ended || items.back().cut) return;
        const int number = static_cast<int>(items.size()) - 1;
        items.back().ended = true;
        client.whole_length[number] = items.back().pushed;
        downlink.end_item(id(number), json::to_text(json::object{{"type", "done"}, {"event_id", "done_" + id(number)}, {"item_id", id(number)}}));
    }

    void pump()
    {
        if (lost) return;
        for (;;) {
            const auto next = downlink.next(now);
            if (next.kind == Kind::nothing) return;
            Message message{now + nanoseconds(reports ? chance.between(0, 20'000'000) : 0), {}, {}};
            if (!wire.empty()) message.arrives = std::max(message.arrives, wire.back().arrives);
            if (next.kind == Kind::text) message.text = std::string(next.text);
            if (next.kind == Kind::binary) {
                message.samples.resize(next.binary.size() / 2);
                std::memcpy(message.samples.data(), next.binary.data(), next.binary.size());
                REQUIRE(next.source[0].size() + next.source[1].size() == next.binary.size());
                if (!reports) REQUIRE(next.plays_at == client.plays_next(now));
            }
            wire.push_back(std::move(message));
            if (!reports) deliver();
        }
    }

    void deliver()
    {
        for (; !wire.empty() && wire.front().arrives <= now; wire.pop_front()) {
            const Message& message = wire.front();
            client.hear_until(message.arrives);
            if (message.text.empty())
                client.get_audio(message.samples, message.arrives);
            else
                client.get_event(message.text);
        }
        client.hear_until(now);
    }

    void report()
    {
        if (!reports || !client.plays || silent) return;
        reported = true;
        downlink.on_playback(id(client.last_item), static_cast<std::int64_t>(client.heard[client.last_item] / 24), now);
    }

    /// Those from the oldest on that were heard up to the ms: what follows in that ms may be thrown away with the rest of the client's buffer.
    void note_heard_whole()
    {
        for (int i = 0; i < static_cast<int>(items.size()); ++i) {
            const SpokenItem& item = items[static_cast<std::size_t>(i)];
            if (item.cut || heard_whole.contains(i)) continue;
            if (!item.ended || client.got[i] != item.pushed || client.heard[i] / 24 != item.pushed / 24) return;
            heard_whole.insert(i);
        }
    }

    /// What must be cut, by the client's own loudspeaker: exact when it hears at once what was sent.
    std::vector<std::pair<std::string, std::int64_t>> expected_cuts()
    {
        note_heard_whole();
        std::vector<std::pair<std::string, std::int64_t>> out;
        for (int i = 0; i < static_cast<int>(items.size()); ++i)
            if (!items[static_cast<std::size_t>(i)].cut && !heard_whole.contains(i)) out.emplace_back(id(i), client.heard[i] / 24);
        return out;
    }

    void stop(bool for_good)
    {
        const auto expected = expected_cuts();
        const bool was_suspended = downlink.is_suspended();
        const auto cuts = for_good ? downlink.interrupt(now) : downlink.suspend(now);
        if (!reports) {
            std::vector<std::pair<std::string, std::int64_t>> got;
            for (const auto& cut : cuts) got.emplace_back(cut.item_id, cut.heard_ms);
            REQUIRE(got == expected);
        }
        if (for_good)
            for (const auto& cut : cuts) {
                SpokenItem& item = items[static_cast<std::size_t>(number_of(cut.item_id))];
                REQUIRE(!item.cut);
                item.cut = true;
                cut_at[cut.item_id] = cut.heard_ms;
            }
        if (!for_good && !cuts.empty()) suspended_once = true;
        if (!was_suspended) stopped_at = now;
        if (cuts.empty() || was_suspended) return;
        downlink.push_event_first(json::to_text(json::object{{"type", "audio.clear"},
                                                             {"event_id", "clear_" + std::to_string(clears++)},
                                                             {"item_id", cuts.front().item_id},
                                                             {"audio_end_ms", cuts.front().heard_ms}}));
    }

    void lose()
    {
        client.hear_until(now);
        note_heard_whole();
        client.lose_connection();
        wire.clear();
        silent = true;
        // A client that reports is there again before anybody noticed, as often as not.
        unnoticed = reports && chance.one_in(2);
        lost = !unnoticed;
        if (lost) downlink.on_client_lost(now);
        comes_back = now + milliseconds(chance.between(1, unnoticed ? 2'000 : 20'000));
    }

    void come_back()
    {
        wire.clear();
        Downlink::ClientPosition position;
        if (!client.last_event_id.empty()) position.last_event_id = client.last_event_id;
        if (reports && client.last_item >= 0) {
            const std::size_t heard = client.heard[client.last_item];
            position.item_id = id(client.last_item);
            position.played_ms = static_cast<std::int64_t>(heard / 24);
            client.returned_at = std::pair(client.last_item, heard / 24 * 24);
        }
        if (position.item_id) client.first_clear = clears;
        client.was_suspended = downlink.is_suspended();
        const auto again = downlink.on_client_back(position, now);
        REQUIRE(again.events_lost == 0);
        lost = unnoticed = silent = false;
        comes_back.reset();
    }

    void take_heard()
    {
        for (const auto& heard : downlink.take_heard(now)) {
            INFO(heard.item_id);
            const SpokenItem& item = items[static_cast<std::size_t>(number_of(heard.item_id))];
            REQUIRE(told.insert(heard.item_id).second);
            REQUIRE(heard.cut == item.cut);
            REQUIRE(heard.audio_ms == static_cast<std::int64_t>(item.pushed / 24));
            REQUIRE(heard.heard_ms == (item.cut ? cut_at[heard.item_id] : heard.audio_ms));
        }
    }

    void step()
    {
        now += nanoseconds(chance.between(1, 25'000'000));
        if (!unnoticed) deliver();
        if (chance.one_in(3)) report();
        pump();
        if (comes_back && now >= *comes_back) come_back();
        const bool faults = !winding_up;
        if (faults && downlink.has_room() && items.size() < 200) {
            if (chance.one_in(3)) say();
            if (chance.one_in(20)) end();
        }
        if (faults && chance.one_in(6)) {
            const int number = events++;
            REQUIRE(downlink.push_event(json::to_text(json::object{{"type", "text"}, {"event_id", "evnt_" + std::to_string(number)}})));
        }
        // Until a client has reported its first items, only what the model has not played is kept.
        const bool can_stand = faults && (!reports || (reported && client.last_item > 3));
        if (can_stand && chance.one_in(60)) stop(false);
        // Not before the reports are in that left before the client knew: as nobody's voice is over so soon.
        if (downlink.is_suspended() && now - stopped_at > milliseconds(50) && chance.one_in(15)) downlink.go_on(now);
        // What is believed heard when it is cut off for good does not come again, even if that belief was wrong: nobody speaks into a dead
        // connection.
        if (faults && !(reports && comes_back) && chance.one_in(150)) stop(true);
        if (can_stand && !comes_back && chance.one_in(100)) lose();
        if (chance.one_in(10)) take_heard();
        if (chance.one_in(2)) pump();
    }

    void play(int steps)
    {
        for (int i = 0; i < steps; ++i) step();
        end();
        winding_up = true;
        const auto is_busy = [&] { return comes_back || downlink.is_suspended() || downlink.is_speaking(now) || downlink.has_unsent() || !wire.empty(); };
        for (int i = 0; i < 200'000 && is_busy(); ++i) step();
        for (int i = 0; i < 1'500; ++i) step();
    }

    void check_all()
    {
        take_heard();
        REQUIRE(told.size() == items.size());
        for (std::size_t i = 0; i < items.size(); ++i) {
            const int number = static_cast<int>(i);
            INFO("item " << number << (items[i].cut ? ", cut" : ""));
            if (!items[i].cut) {
                CHECK(items[i].pushed - client.heard[number] < 24);  // no report can tell the last fraction of a ms
                CHECK(client.ends[number] >= 1);
            }
            if (items[i].ended) CHECK(client.dones[number] >= 1);
            if (items[i].ended && !suspended_once) CHECK(client.dones[number] == 1);
        }
        for (const int item : client.ended_early) CHECK(items[static_cast<std::size_t>(item)].cut);
        std::vector<int> all;
        for (int i = 0; i < events; ++i) all.push_back(i);
        CHECK(client.events == all);
        CHECK(!downlink.is_speaking(now));
        CHECK(!downlink.has_unsent());
    }

    struct Message {
        Instant arrives;
        std::string text;
        std::vector<std::int16_t> samples;
    };

    Chance chance;
    bool reports;
    Downlink downlink;
    Instant now{std::chrono::hours(1)};
    Client client;
    std::deque<Message> wire;
    std::deque<SpokenItem> items;
    std::map<std::string, std::int64_t> cut_at;
    std::set<std::string> told;
    std::set<int> heard_whole;
    std::optional<Instant> comes_back;
    Instant stopped_at{};
    bool reported = false, lost = false, unnoticed = false, silent = false, winding_up = false, suspended_once = false;
    int events = 0, clears = 0;
};

}  // namespace

TEST_CASE("every sample is heard once, through suspensions, losses and returns, and cuts are exact by the model")
{
    for (std::uint32_t seed = 1; seed <= 60; ++seed) {
        INFO("seed " << seed);
        Run run(seed, false);
        run.play(2'000);
        run.check_all();
    }
}

TEST_CASE("every sample is heard once by a client that reports, over a slow wire that loses what is on it")
{
    for (std::uint32_t seed = 1; seed <= 60; ++seed) {
        INFO("seed " << seed);
        Run run(seed, true);
        run.play(2'000);
        run.check_all();
    }
}

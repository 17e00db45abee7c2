#pragma once
#include "fake_service.hpp"

#include "repartee/conversation/record.hpp"

#include <functional>
#include <memory>

namespace test {

/// What a session gives to be kept.
class FakeRecord : public conversation::Record {
public:
    void began(std::string_view session_id, std::string_view user, std::string_view character_id, Instant now) override
    {
        order.push_back("began " + std::string(session_id) + " " + std::string(user) + " " + std::string(character_id));
        began_at = now;
    }
    void lines(std::span<const conversation::Line> given) override
    {
        REQUIRE(endings == 0);
        for (const auto& line : given) {
            const auto before = by_number.find(line.number);
            CHECK(line.changed_again == (before != by_number.end()));
            if (before != by_number.end() && is_same(before->second, line)) ++same_again;
            by_number[line.number] = line;
        }
    }
    bool wants_audio() const override { return wants; }
    void on_user_audio(std::span<const std::byte> pcm, Instant) override
    {
        REQUIRE(endings == 0);
        for (std::size_t i = 0; i < pcm.size() / 2; ++i) {
            ++user_samples;
            if (sample_at(pcm, i) >= voice_min) user_voices.hear(sample_at(pcm, i));
        }
    }
    /// Keeps what a loudspeaker that follows `plays_at` would have played.
    void on_character_audio(std::span<const std::byte> pcm, Instant plays_at) override
    {
        REQUIRE(endings == 0);
        const auto samples = static_cast<std::int64_t>(pcm.size() / 2);
        if (!played.empty()) CHECK(plays_at >= played.back().second - milliseconds(1));
        played.push_back({plays_at, plays_at + std::chrono::nanoseconds(samples * 1'000'000'000 / audio::realtime_hz)});
    }
    void on_cut(Instant at) override
    {
        cuts.push_back(at);
        while (!played.empty() && played.back().first >= at) played.pop_back();
        if (!played.empty()) played.back().second = std::min(played.back().second, at);
    }
    void ended(Instant) override { ++endings; }

    std::int64_t played_ms() const
    {
        std::chrono::nanoseconds all{0};
        for (const auto& [from, to] : played) all += to - from;
        return std::chrono::duration_cast<milliseconds>(all).count();
    }
    std::vector<std::string> lines_of(std::string_view role) const
    {
        std::vector<std::string> texts;
        for (const auto& [number, line] : by_number)
            if (line.role == role) texts.push_back(line.text);
        return texts;
    }

    static bool is_same(const conversation::Line& one, const conversation::Line& other)
    {
        return one.item_id == other.item_id && one.text == other.text && one.heard == other.heard && one.cut == other.cut &&
               one.heard_ms == other.heard_ms && one.audio_ms == other.audio_ms;
    }

    bool wants = true;
    int same_again = 0;  ///< lines given again although nothing about them had changed
    std::vector<std::string> order;
    Instant began_at{};
    std::map<std::uint64_t, conversation::Line> by_number;
    std::int64_t user_samples = 0;
    VoiceCount user_voices;
    std::vector<std::pair<Instant, Instant>> played;
    std::vector<Instant> cuts;
    int endings = 0;
};

/// A client's loudspeaker: it plays from the first sample on in real time, and knows of every sample which one it should be.
class Loudspeaker {
public:
    explicit Loudspeaker(const Said& said) : said_(said) {}

    void start(const json::object& event)
    {
        item_ = std::string(json::find_string(event, "item_id").value());
        place_ = json::find_int(event, "offset_ms").value_or(0) * per_ms;
    }
    void take(std::span<const std::byte> pcm, Instant now)
    {
        play(now);
        if (waiting_.empty()) {
            plays_from_ = now;
            if (dry_since_ && !dry_item_.empty() && dry_item_ == item_) worst_gap = std::max(worst_gap, now - *dry_since_);
        }
        dry_since_.reset();
        const auto count = static_cast<std::int64_t>(pcm.size() / 2);
        if (const auto reply = said_.replies.find(item_); reply != said_.replies.end()) check(reply->second, pcm);
        if (!waiting_.empty() && waiting_.back().item == item_ && waiting_.back().to == place_)
            waiting_.back().to += count;
        else
            waiting_.push_back({item_, place_, place_ + count});
        place_ += count;
    }
    void clear(Instant now)
    {
        play(now);
        waiting_.clear();
        dry_since_.reset();
    }
    void play(Instant now)
    {
        if (waiting_.empty()) return;
        std::int64_t due = std::chrono::duration_cast<std::chrono::microseconds>(now - plays_from_).count() * per_ms / 1'000;
        plays_from_ += std::chrono::microseconds(due * 1'000 / per_ms);
        Instant dry = plays_from_;
        while (due > 0 && !waiting_.empty()) {
            Stretch& first = waiting_.front();
            const std::int64_t count = std::min(due, first.to - first.from);
            note(first.item, first.from, first.from + count);
            first.from += count;
            due -= count;
            if (first.from < first.to) continue;
            dry_item_ = first.item;
            waiting_.pop_front();
        }
        dry -= std::chrono::microseconds(due * 1'000 / per_ms);
        if (waiting_.empty()) dry_since_ = dry;
    }

    /// Of an item: how much was heard; everything at most once and in order, or `wrong` says so.
    std::int64_t heard_ms(const std::string& item) const
    {
        const auto known = heard_.find(item);
        return known == heard_.end() ? 0 : known->second / per_ms;
    }
    std::int64_t heard_samples(const std::string& item) const
    {
        const auto known = heard_.find(item);
        return known == heard_.end() ? 0 : known->second;
    }
    const std::string& item() const { return item_; }
    bool is_silent() const { return waiting_.empty(); }

    std::vector<std::string> order;  ///< of items as they began to be heard
    std::vector<std::string> wrong;
    std::chrono::nanoseconds worst_gap{0};  ///< amid an item

private:
    static constexpr std::int64_t per_ms = audio::realtime_hz / 1'000;
    struct Stretch {
        std::string item;
        std::int64_t from, to;
    };

    void check(const Said::Reply& reply, std::span<const std::byte> pcm)
    {
        for (std::size_t i = 0; i < pcm.size() / 2; ++i) {
            const std::int64_t place = place_ + static_cast<std::int64_t>(i);
            if (sample_at(pcm, i) == sample_of_reply(reply.number, place)) continue;
            wrong.push_back("sample " + std::to_string(place) + " of " + item_ + " is another one");
            return;
        }
    }
    void note(const std::string& item, std::int64_t from, std::int64_t to)
    {
        auto [known, fresh] = heard_.try_emplace(item, 0);
        if (fresh) order.push_back(item);
        // After a return some of it may be said again; never may a part be missing.
        const std::int64_t missing = from - known->second;
        if (missing > 0)
            wrong.push_back(std::to_string(missing / per_ms) + " ms of " + item + " are missing at " + std::to_string(known->second / per_ms));
        if (from < known->second) again_ms += std::min(to, known->second) / per_ms - from / per_ms;
        known->second = std::max(known->second, to);
    }

    const Said& said_;
    std::string item_, dry_item_;
    std::int64_t place_ = 0;
    std::deque<Stretch> waiting_;
    Instant plays_from_{};
    std::optional<Instant> dry_since_;
    std::map<std::string, std::int64_t> heard_;

public:
    std::int64_t again_ms = 0;  ///< heard twice
};

/// A typed turn of the user's.
inline json::object typed(std::string_view text)
{
    const json::array content{{{"type", "input_text"}, {"text", text}}};
    return {{"type", "conversation.item.create"}, {"item", json::object{{"type", "message"}, {"role", "user"}, {"content", content}}}};
}

/// A whole conversation on a simulated clock: a user with a microphone that is never off and a loudspeaker, the session, and services one after
/// the other. What the relay does is done here as it does it.
class Talk {
public:
    static constexpr std::int64_t step_ms = 20;

    static conversation::SessionSettings lasting()
    {
        auto settings = Script::defaults();
        settings.user = "user_1";
        settings.recovery.enabled = true;
        settings.downlink.resume.events_max = 256;
        return settings;
    }

    explicit Talk(conversation::SessionSettings settings = lasting(), ServiceManner given = {}) : manner(given), speaker(said)
    {
        record = std::make_shared<FakeRecord>();
        settings.record = record;
        session = std::make_unique<conversation::Session>(std::move(settings), metrics, clock.now);
        session->begin_record(clock.now);
        connect();
    }

    // ── time ──

    void run(std::int64_t ms)
    {
        for (std::int64_t passed = 0; passed < ms; passed += step_ms) step();
    }
    /// False: it has not come true in time.
    template <typename Condition>
    bool run_until(Condition condition, std::int64_t ms_max = 20'000)
    {
        for (std::int64_t passed = 0; passed < ms_max; passed += step_ms) {
            if (condition()) return true;
            step();
        }
        return condition();
    }
    bool run_until_quiet(std::int64_t ms_max = 60'000)
    {
        const auto nothing_happens = [&] { return session->is_quiet(clock.now) && speaker.is_silent() && service && !service->is_asked(); };
        return run_until([&] { return !is_speaking() && nothing_happens(); }, ms_max);
    }

    void step()
    {
        clock.advance(step_ms);
        speaker.play(clock.now);
        if (microphone) hear_user();
        if (reports && here && clock.now - reported_at_ >= milliseconds(100)) report();
        if (wake_at_ && *wake_at_ <= clock.now) session->on_tick(clock.now);
        if (service) hear_service();
        pump();
        if (service && service->is_over(clock.now)) {
            session->on_upstream_event(service->last_words(), clock.now);
            lose({Code::closed, "The voice service closed the connection (1001)."});
        }
        if (connect_at_ && clock.now >= *connect_at_ && session->wants_upstream()) connect();
        rotate_when_due();
        pump();
        // What has just come to its end is not told of later.
        wake_at_ = session->wake_at(clock.now);
    }

    void pump()
    {
        for (;;) {
            if (!service) break;
            const auto next = session->next_for_upstream(clock.now);
            if (next.kind == conversation::Uplink::Next::Kind::nothing) break;
            service->hear(next, clock.now);
        }
        if (here) hear_session();
    }

    // ── the user ──

    /// Speaks from now on; returns the turn's number. What it says: words_of(number).
    int speak(std::int64_t ms)
    {
        turn_ms_.push_back(ms);
        speech_left_ms_ = ms;
        return static_cast<int>(turn_ms_.size());
    }
    int turns() const { return static_cast<int>(turn_ms_.size()); }
    bool is_speaking() const { return speech_left_ms_ > 0; }
    std::string words_of(int turn) const
    {
        return "turn " + std::to_string(turn) + ": " + std::to_string(turn_ms_[static_cast<std::size_t>(turn - 1)] * audio::realtime_hz / 1'000);
    }
    /// A whole turn, and its answer to the end.
    int turn_and_reply(std::int64_t ms = 1'000)
    {
        const int turn = speak(ms);
        run_until([&] { return !is_speaking(); });
        run(800);
        run_until_quiet();
        return turn;
    }

    void tell(const json::object& event) { session->on_client_event(json::to_text(event), clock.now); }

    // ── the service ──

    void lose(const Error& error = {Code::closed, "The voice service closed the connection (1006)."})
    {
        old.push_back(std::move(service));
        hold_until_.reset();
        if (ahead_) {
            ahead_ = false;
            session->rotate(clock.now);
            return begin(lease_age);
        }
        session->on_upstream_lost(error, clock.now);
        pump();
        if (session->wants_upstream()) connect_at_ = clock.now + recover_after;
    }
    void connect()
    {
        connect_at_.reset();
        begin(milliseconds(0));
    }

    // ── the client's connection ──

    void lose_client()
    {
        here = false;
        session->on_client_lost(clock.now);
    }
    void come_back(const conversation::Downlink::ClientPosition& position)
    {
        here = true;
        back_at = received.size();
        speaker.clear(clock.now);
        session->on_client_back(position, clock.now);
        pump();
    }

    /// Events that the client got, of this type.
    std::vector<json::object> got(std::string_view type, std::size_t from = 0) const
    {
        std::vector<json::object> out;
        for (std::size_t i = from; i < received.size(); ++i)
            if (json::find_string(received[i], "type") == type) out.push_back(received[i]);
        return out;
    }
    std::size_t count(std::string_view type, std::size_t from = 0) const { return got(type, from).size(); }
    std::string last_event_id() const { return received.empty() ? "" : std::string(json::find_string(received.back(), "event_id").value_or("")); }

    Clock clock;
    Metrics metrics;
    Said said;
    ServiceManner manner;                                ///< of the next service
    std::shared_ptr<FakeRecord> record;
    std::unique_ptr<conversation::Session> session;
    std::unique_ptr<FakeService> service;                ///< null: between two
    std::vector<std::unique_ptr<FakeService>> old;
    Loudspeaker speaker;
    std::vector<json::object> received;                  ///< by the client; the test may clear it
    std::size_t back_at = 0;
    std::vector<std::int64_t> clear_errors_ms;           ///< audio.clear: what it said was heard, less what was
    bool here = true, microphone = true, reports = false, keeps_events = true;
    milliseconds recover_after{60}, lease_age{0};
    int rotations = 0, recoveries = 0;
    std::function<void(FakeService&)> on_next_service;   ///< before its first event

private:
    void hear_user()
    {
        const std::int64_t voiced_ms = std::min(speech_left_ms_, step_ms);
        speech_left_ms_ -= voiced_ms;
        if (frame_voiced_ms_ != voiced_ms || frame_turn_ != turns()) {
            frame_ = pcm_ms(voiced_ms, audio::realtime_hz, voice_of_turn(turns()));
            frame_.resize(audio::bytes_of_ms(step_ms, audio::realtime_hz), std::byte{0});
            frame_voiced_ms_ = voiced_ms;
            frame_turn_ = turns();
        }
        session->on_client_audio(frame_, clock.now);
    }

    void hear_service()
    {
        if (waiting_.empty())
            for (auto& event : service->say(clock.now)) waiting_.push_back(std::move(event));
        while (!waiting_.empty() && session->can_take_upstream()) {
            session->on_upstream_event(waiting_.front(), clock.now);
            waiting_.pop_front();
        }
    }

    void hear_session()
    {
        using Kind = conversation::Downlink::Next::Kind;
        for (;;) {
            const auto next = session->next_for_client(clock.now);
            if (next.kind == Kind::nothing) return;
            if (next.kind == Kind::binary) {
                speaker.take(next.binary, clock.now);
                continue;
            }
            auto event = json::parse_object(next.text).value();
            const auto type = json::find_string(event, "type").value();
            if (type == "audio.start") speaker.start(event);
            if (type == "audio.clear") {
                speaker.clear(clock.now);
                const std::string item(*json::find_string(event, "item_id"));
                clear_errors_ms.push_back(*json::find_int(event, "audio_end_ms") - speaker.heard_ms(item));
            }
            if (keeps_events) received.push_back(std::move(event));
        }
    }

    void report()
    {
        reported_at_ = clock.now;
        if (speaker.item().empty()) return;
        const std::string item = speaker.order.empty() ? speaker.item() : speaker.order.back();
        tell({{"type", "playback"}, {"item_id", item}, {"played_ms", speaker.heard_ms(item)}});
    }

    void begin(milliseconds age)
    {
        waiting_.clear();
        if (!old.empty()) ++(rotating_ ? rotations : recoveries);
        rotating_ = false;
        service = std::make_unique<FakeService>(manner, said, clock.now - age);
        if (on_next_service) on_next_service(*service);
        session->on_upstream_age(age, clock.now);
        session->on_upstream_event(service->session_created(), clock.now);
        pump();
    }

    void rotate_when_due()
    {
        const auto due = session->rotate_at();
        if (!due || !service || clock.now < *due) return;
        ahead_ = true;
        if (!hold_until_) {
            if (!session->may_rotate(clock.now)) return;
            session->hold_upstream(true);
            hold_until_ = clock.now + milliseconds(200);
            return;
        }
        if (clock.now < *hold_until_) return;
        hold_until_.reset();
        if (!session->may_rotate(clock.now)) return session->hold_upstream(false);
        old.push_back(std::move(service));
        ahead_ = false;
        rotating_ = true;
        session->rotate(clock.now);
        begin(lease_age);
    }

    std::int64_t speech_left_ms_ = 0;
    std::vector<std::int64_t> turn_ms_;
    std::vector<std::byte> frame_;
    std::int64_t frame_voiced_ms_ = -1;
    int frame_turn_ = -1;
    std::deque<std::string> waiting_;
    std::optional<Instant> connect_at_, hold_until_, wake_at_;
    Instant reported_at_{};
    bool ahead_ = false, rotating_ = false;
};

}  // namespace test

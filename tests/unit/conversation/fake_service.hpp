#pragma once
#include "support.hpp"

#include <array>
#include <cstdlib>
#include <deque>
#include <functional>
#include <map>
#include <set>

namespace test {

/// How a fake service behaves; all times are the simulated clock's.
struct ServiceManner {
    milliseconds update_after{20};       ///< session.updated behind session.update
    milliseconds answer_after{150};      ///< response.created behind the commit or the response.create
    milliseconds transcript_after{250};  ///< behind the commit: before the reply's end, or long after it
    bool transcribes = true;
    std::int64_t delta_ms = 200;         ///< of sound in one delta
    milliseconds delta_every{50};        ///< so it speaks four times as fast as it is heard
    std::int64_t reply_ms = 2'000;
    std::function<std::string(const std::string&)> transcribe{};  ///< what it makes of a turn's voices; else their own names
    bool calls_function = false;         ///< answers with a call instead of sound, while the newest item is the user's
    milliseconds session_max{std::chrono::minutes(60)};
    std::function<bool(const json::object&)> refuses_update{};    ///< a session.update with this session
    bool deaf = false;                   ///< takes nothing for a voice
    bool says_stopped = true;            ///< of a voice that is committed by an event
    bool words_first = false;            ///< a reply's first word comes with the response, delta_every before its sound
    bool numbers_responses = false;      ///< resp_1, resp_2 …, beginning anew with every connection
};

/// The turn `number` of the user is a steady sound by which it is known again; silence is zeros.
constexpr std::int16_t voice_of_turn(int number) { return static_cast<std::int16_t>(1'000 + number); }
constexpr std::int16_t voice_min = 1'000;
/// Every sample of a reply tells which one it is of, and where.
constexpr std::int16_t sample_of_reply(int number, std::int64_t place) { return static_cast<std::int16_t>((number * 977 + place) & 0x7FFF); }

inline std::int16_t sample_at(std::span<const std::byte> pcm, std::size_t index)
{
    return static_cast<std::int16_t>(std::to_integer<int>(pcm[index * 2]) | std::to_integer<int>(pcm[index * 2 + 1]) << 8);
}

/// What all services of one conversation said, for the test to compare with.
struct Said {
    struct Reply {
        int number = 0;
        std::string text{};
        std::int64_t samples = 0;  ///< sent so far
        bool whole = false;
    };
    std::map<std::string, Reply> replies;  ///< by item
    std::vector<std::string> reply_order;
    int services = 0;
    bool knows(const std::string& item) const { return replies.count(item) > 0; }
};

/// Reads how much of which turns' voice there is in the user's audio: "turn 3: 24000" (samples), one after the other.
class VoiceCount {
public:
    void hear(std::int16_t sample)
    {
        if (counts_.empty() || counts_.back().first != sample) counts_.push_back({sample, 0});
        ++counts_.back().second;
    }
    void clear() { counts_.clear(); }
    std::string text() const
    {
        std::string all;
        for (const auto& [voice, samples] : counts_)
            all += (all.empty() ? "turn " : ", turn ") + std::to_string(voice - voice_min) + ": " + std::to_string(samples);
        return all;
    }

private:
    std::vector<std::pair<std::int16_t, std::int64_t>> counts_;
};

/// One session of a Realtime service: no socket, no clock of its own, always the same answer to the same conversation. It hears the user by the
/// loudness of samples, and what it is told against the protocol's rules it complains about.
class FakeService {
public:
    struct Item {
        std::string id, role, text, call_id{};
        std::int64_t audio_ms = -1;  ///< of a reply spoken here; -1: it was told, as text
    };

    FakeService(ServiceManner given, Said& world, Instant now)
        : manner(std::move(given)), said_(world), began_(now), name_("s" + std::to_string(++world.services))
    {
        session = {{"id", name_}, {"model", "gpt-test"}};
    }

    // ── what it is told ──

    void hear(const conversation::Uplink::Next& next, Instant now)
    {
        using Kind = conversation::Uplink::Next::Kind;
        if (next.kind == Kind::audio)
            hear_audio(next.audio, now);
        else if (next.kind == Kind::event)
            hear_event(next.event, now);
    }

    // ── what it says ──

    /// Its first words, before anything is told to it.
    std::string session_created() const { return event("session.created", {{"session", session}}); }

    /// What is due by now, in its order.
    std::vector<std::string> say(Instant now)
    {
        for (;;) {
            // In the order of time, so that the same happens whatever the test's steps are.
            const auto later = later_.empty() ? Instant::max() : later_.begin()->first;
            const auto answer = answer_at_.value_or(Instant::max());
            const auto speech = running_ ? running_->next_at : Instant::max();
            const auto first = std::min({later, answer, speech});
            if (first > now) break;
            if (first == later) {
                out_.push_back(std::move(later_.begin()->second));
                later_.erase(later_.begin());
            } else if (first == answer) {
                begin_reply(first);
            } else {
                go_on(first);
            }
        }
        return std::exchange(out_, {});
    }

    bool is_over(Instant now) const { return now - began_ >= manner.session_max; }
    /// What the provider says before it closes with 1001.
    std::string last_words() const
    {
        const json::object error{
            {"type", "invalid_request_error"}, {"code", "session_expired"}, {"message", "Your session hit the maximum duration."}};
        return event("error", {{"error", error}});
    }

    bool is_replying() const { return running_.has_value(); }
    bool is_asked() const { return answer_at_.has_value(); }
    bool hears_speech() const { return speaking_; }
    std::int64_t made_ms() const { return running_ ? running_->made_ms : 0; }
    Instant began() const { return began_; }

    ServiceManner manner;
    json::object session;                   ///< as it was told
    std::vector<Item> items;                ///< the conversation, in its order
    std::vector<Item> told;                 ///< what came before its time, as it was told of it
    std::vector<json::object> creates;      ///< response.create events
    std::vector<json::object> truncates, deletes, cancels;
    std::vector<std::string> turns;         ///< what of the user's voice was in each turn that it heard
    std::vector<std::string> complaints;    ///< errors that it answered with
    std::int64_t samples_heard = 0;

private:
    struct Running {
        std::string id, item_id;
        int number;
        std::vector<std::string> words;
        std::size_t words_said = 0;
        std::int64_t made_ms = 0, whole_ms;
        Instant next_at;
        bool is_call;
    };

    std::string event(std::string_view type, json::object members) const
    {
        json::object object{{"type", type}, {"event_id", "event_" + name_ + "_" + std::to_string(++events_)}};
        for (auto& [key, value] : members) object[key] = std::move(value);
        return json::to_text(object);
    }
    void tell(std::string_view type, json::object members) { out_.push_back(event(type, std::move(members))); }
    std::string new_id(const char* kind) { return kind + name_ + "_" + std::to_string(++ids_); }
    void complain(const std::string& code, const std::string& message, std::string_view quoted)
    {
        complaints.push_back(code + ": " + message);
        json::object error{{"type", "invalid_request_error"}, {"code", code}, {"message", message}};
        error["event_id"] = quoted.empty() ? json::value(nullptr) : json::value(quoted);
        tell("error", {{"error", std::move(error)}});
    }
    std::vector<Item>::iterator find(std::string_view id)
    {
        return std::find_if(items.begin(), items.end(), [&](const Item& item) { return item.id == id; });
    }
    bool has_voice_detection() const { return session_.detects; }

    // ── the user's voice ──

    void hear_audio(const std::array<std::span<const std::byte>, 2>& parts, Instant now)
    {
        for (const auto& part : parts)
            for (std::size_t i = 0; i < part.size() / 2; ++i) hear_sample(sample_at(part, i), now);
    }

    void hear_sample(std::int16_t sample, Instant now)
    {
        ++samples_heard;
        buffer_has_audio_ = true;
        if (sample >= voice_min) {
            buffer_.hear(sample);
            last_voice_ = samples_heard;
            if (!speaking_ && has_voice_detection() && !manner.deaf) speech_started();
        } else if (speaking_ && samples_heard - last_voice_ >= session_.silence_ms * audio::realtime_hz / 1'000) {
            speech_stopped(now);
        }
    }

    std::int64_t ms(std::int64_t samples) const { return samples * 1'000 / audio::realtime_hz; }

    void speech_started()
    {
        speaking_ = true;
        turn_id_ = new_id("item_");
        tell("input_audio_buffer.speech_started",
             {{"item_id", turn_id_}, {"audio_start_ms", std::max<std::int64_t>(0, ms(samples_heard) - session_.padding_ms)}});
        if (session_.interrupts && running_) cancel_running();
        if (session_.interrupts) answer_at_.reset();
    }

    void speech_stopped(Instant now)
    {
        tell("input_audio_buffer.speech_stopped", {{"item_id", turn_id_}, {"audio_end_ms", ms(samples_heard)}});
        commit(now, session_.answers);
    }

    void commit(Instant now, bool answers)
    {
        speaking_ = false;
        if (turn_id_.empty()) turn_id_ = new_id("item_");
        const std::string text = buffer_.text();
        turns.push_back(text);
        tell("input_audio_buffer.committed", {{"item_id", turn_id_}, {"previous_item_id", previous()}});
        const json::array content{{{"type", "input_audio"}, {"transcript", nullptr}}};
        add_item({turn_id_, "user", text},
                 {{"id", turn_id_}, {"type", "message"}, {"role", "user"}, {"status", "completed"}, {"content", content}});
        if (manner.transcribes && session_.transcribes)
            later_.emplace(now + manner.transcript_after,
                           event("conversation.item.input_audio_transcription.completed",
                                 {{"item_id", turn_id_}, {"content_index", 0}, {"transcript", manner.transcribe ? manner.transcribe(text) : text}}));
        buffer_.clear();
        buffer_has_audio_ = false;
        turn_id_.clear();
        if (!answers) return;
        if (running_ || answer_at_)
            complain("conversation_already_has_active_response", "Conversation already has an active response in progress", {});
        else
            ask(now);
    }

    // ── items ──

    json::value previous() const { return items.empty() ? json::value(nullptr) : json::value(items.back().id); }

    void add_item(Item item, json::object shown)
    {
        const json::value before = previous();
        items.push_back(std::move(item));
        tell("conversation.item.added", {{"previous_item_id", before}, {"item", shown}});
        if (shown["status"] != "in_progress") tell("conversation.item.done", {{"previous_item_id", before}, {"item", std::move(shown)}});
    }

    /// As the service has it: the words of a text, the turns of a sound.
    static Item read_item(const json::object& given)
    {
        Item item{std::string(json::find_string(given, "id").value_or("")), std::string(json::find_string(given, "role").value_or("")), {}};
        const auto type = json::find_string(given, "type").value_or("");
        if (type != "message") {
            item.role = type;
            item.text = json::find_string(given, type == "function_call" ? "arguments" : "output").value_or("");
            item.call_id = json::find_string(given, "call_id").value_or("");
        }
        const json::array* content = json::find_array(given, "content");
        for (std::size_t i = 0; content && i < content->size(); ++i) {
            const json::object* part = (*content)[i].if_object();
            if (!part) continue;
            item.text += json::find_string(*part, "text").value_or("");
            if (const auto base64 = json::find_string(*part, "audio")) item.text += "sound of " + voices_in(*base64);
        }
        return item;
    }

    static std::string voices_in(std::string_view base64)
    {
        std::vector<std::byte> pcm(audio::base64_decoded_bytes_max(base64.size()));
        const auto decoded = audio::base64_decode(base64, pcm.data());
        VoiceCount voices;
        for (std::size_t i = 0; i < decoded.bytes / 2; ++i)
            if (sample_at(pcm, i) >= voice_min) voices.hear(sample_at(pcm, i));
        return voices.text();
    }

    void create_item(const json::object& event, std::string_view event_id)
    {
        const json::object* given = json::find_object(event, "item");
        if (!given) return complain("missing_required_parameter", "item", event_id);
        Item item = read_item(*given);
        if (item.id.empty()) item.id = new_id("item_");
        if (find(item.id) != items.end()) return complain("item_create_duplicate_item_id", item.id + " exists", event_id);
        const auto is_its_call = [&](const Item& other) { return other.role == "function_call" && other.call_id == item.call_id; };
        if (item.role == "function_call_output" && std::none_of(items.begin(), items.end(), is_its_call))
            return complain("invalid_value", "no call " + item.call_id, event_id);
        const auto behind = json::find_string(event, "previous_item_id");
        auto place = items.end();
        if (behind == "root") place = items.begin();
        if (behind && behind != "root") {
            place = find(*behind);
            if (place == items.end()) return complain("invalid_value", "no item " + std::string(*behind) + " to stand behind", event_id);
            ++place;
        }
        if (event_id.starts_with("repartee_replay")) told.push_back(item);
        json::object shown = *given;
        shown["id"] = item.id;
        shown["status"] = "completed";
        const json::value before = place == items.begin() ? json::value(nullptr) : json::value(std::prev(place)->id);
        items.insert(place, std::move(item));
        for (const char* type : {"conversation.item.added", "conversation.item.done"}) tell(type, {{"previous_item_id", before}, {"item", shown}});
    }

    // ── events ──

    void hear_event(std::string_view text, Instant now)
    {
        const json::object event_ = json::parse_object(text).value();
        const std::string type(json::find_string(event_, "type").value()), id(json::find_string(event_, "event_id").value_or(""));
        const std::string item_id(json::find_string(event_, "item_id").value_or(""));
        if (type == "session.update") return update(*json::find_object(event_, "session"), id, now);
        if (type == "conversation.item.create") return create_item(event_, id);
        if (type == "response.create") return on_create(event_, id, now);
        if (type == "response.cancel") {
            cancels.push_back(event_);
            if (running_) return cancel_running();
            if (answer_at_) {
                begin_reply(now);
                return cancel_running();
            }
            return complain("response_cancel_not_active", "Cancellation failed: no active response found", id);
        }
        if (type == "input_audio_buffer.commit") {
            if (!buffer_has_audio_) return complain("input_audio_buffer_commit_empty", "buffer too small", id);
            if (speaking_ && manner.says_stopped) tell("input_audio_buffer.speech_stopped", {{"item_id", turn_id_}, {"audio_end_ms", ms(samples_heard)}});
            return commit(now, false);
        }
        if (type == "input_audio_buffer.clear") {
            buffer_.clear();
            buffer_has_audio_ = speaking_ = false;
            return tell("input_audio_buffer.cleared", {});
        }
        if (type == "conversation.item.delete") {
            deletes.push_back(event_);
            const auto item = find(item_id);
            if (item == items.end()) return complain("item_delete_invalid_item_id", "no item " + item_id, id);
            if (running_ && running_->item_id == item_id) return complain("invalid_value", item_id + " is being written", id);
            items.erase(item);
            return tell("conversation.item.deleted", {{"item_id", item_id}});
        }
        if (type == "conversation.item.truncate") {
            truncates.push_back(event_);
            const auto item = find(item_id);
            const std::int64_t end_ms = json::find_int(event_, "audio_end_ms").value_or(-1);
            if (item == items.end()) return complain("item_truncate_invalid_item_id", "no item " + item_id, id);
            if (item->audio_ms < 0) return complain("invalid_value", "Only model output audio messages can be truncated", id);
            const std::string both = std::to_string(item->audio_ms) + "ms is already shorter than " + std::to_string(end_ms);
            if (end_ms > item->audio_ms) return complain("invalid_value", "Audio content of " + both, id);
            item->audio_ms = end_ms;
            return tell("conversation.item.truncated", {{"item_id", item_id}, {"content_index", 0}, {"audio_end_ms", end_ms}});
        }
        complain("invalid_value", "what is " + type, id);
    }

    static void merge(json::object& into, const json::object& from)
    {
        for (const auto& [key, value] : from) {
            json::value& member = into[key];
            const bool deeper = key == "audio" || key == "input" || key == "output";
            if (deeper && member.is_object() && value.is_object())
                merge(member.get_object(), value.get_object());
            else
                member = value;
        }
    }

    void update(const json::object& given, std::string_view event_id, Instant now)
    {
        if (manner.refuses_update && manner.refuses_update(given)) return complain("invalid_value", "a session of that kind", event_id);
        merge(session, given);
        const json::object* input = json::find_object(session, "audio.input");
        const json::object* detection = json::find_object(session, "audio.input.turn_detection");
        session_.detects = detection || !(input && input->contains("turn_detection"));
        speaking_ = speaking_ && session_.detects;
        if (detection) {
            session_.answers = json::find_bool(*detection, "create_response").value_or(true);
            session_.interrupts = json::find_bool(*detection, "interrupt_response").value_or(true);
            session_.silence_ms = json::find_int(*detection, "silence_duration_ms").value_or(500);
            session_.padding_ms = json::find_int(*detection, "prefix_padding_ms").value_or(300);
        }
        session_.transcribes = json::find_object(session, "audio.input.transcription") != nullptr;
        later_.emplace(now + manner.update_after, event("session.updated", {{"session", session}}));
    }

    // ── replies ──

    void ask(Instant now) { answer_at_ = now + manner.answer_after; }

    void on_create(const json::object& event_, std::string_view event_id, Instant now)
    {
        creates.push_back(event_);
        if (running_ || answer_at_)
            return complain("conversation_already_has_active_response", "Conversation already has an active response in progress", event_id);
        ask(now);
    }

    void begin_reply(Instant now)
    {
        answer_at_.reset();
        const bool is_call = manner.calls_function && !items.empty() && items.back().role == "user";
        const int number = static_cast<int>(said_.replies.size()) + 1;
        const std::string id = manner.numbers_responses ? "resp_" + std::to_string(++responses_) : new_id("resp_");
        running_ = Running{id, new_id("item_"), number, {}, 0, 0, manner.reply_ms, now + manner.delta_every, is_call};
        Running& reply = *running_;
        tell("response.created", {{"response", response_of(reply.id, "in_progress")}});
        if (is_call) return begin_call();
        // Two words a second or so: what is said of a reply that was cut off can be estimated.
        for (std::int64_t word = 0; word < std::max<std::int64_t>(1, reply.whole_ms / 500); ++word)
            reply.words.push_back((word == 0 ? "reply" : " word") + std::to_string(reply.number) + "x" + std::to_string(word));
        Said::Reply& ledger = said_.replies[reply.item_id];
        ledger.number = reply.number;
        for (const auto& word : reply.words) ledger.text += word;
        said_.reply_order.push_back(reply.item_id);
        const json::object item{
            {"id", reply.item_id}, {"type", "message"}, {"role", "assistant"}, {"status", "in_progress"}, {"content", json::array()}};
        tell("response.output_item.added", {{"response_id", reply.id}, {"output_index", 0}, {"item", item}});
        add_item({reply.item_id, "assistant", {}, {}, 0}, item);
        tell("response.content_part.added", part_of(reply, {{"part", json::object{{"type", "audio"}, {"transcript", ""}}}}));
        if (manner.words_first) say_words(1);
    }

    /// So many in all, by now.
    void say_words(std::size_t count)
    {
        for (Running& reply = *running_; reply.words_said < count; ++reply.words_said)
            tell("response.output_audio_transcript.delta", part_of(reply, {{"delta", reply.words[reply.words_said]}}));
    }

    static json::object part_of(const Running& reply, json::object more)
    {
        more["response_id"] = reply.id;
        more["item_id"] = reply.item_id;
        more["output_index"] = more["content_index"] = 0;
        return more;
    }

    static json::object response_of(const std::string& id, std::string_view status)
    {
        return {{"id", id}, {"object", "realtime.response"}, {"status", status}, {"conversation_id", "conv_1"}};
    }

    static json::object call_of(const Running& reply, std::string_view status, std::string_view arguments)
    {
        return {{"id", reply.item_id},  {"type", "function_call"},          {"status", status},
                {"name", "open_door"}, {"call_id", "call_" + reply.id}, {"arguments", arguments}};
    }

    void begin_call()
    {
        const Running& reply = *running_;
        const json::object item = call_of(reply, "in_progress", "");
        tell("response.output_item.added", {{"response_id", reply.id}, {"output_index", 0}, {"item", item}});
        add_item({reply.item_id, "function_call", {}, "call_" + reply.id}, item);
    }

    void go_on(Instant at)
    {
        Running& reply = *running_;
        reply.next_at = at + manner.delta_every;
        if (reply.is_call) return end_call();
        if (reply.made_ms >= reply.whole_ms) return end_reply("completed");
        const std::int64_t piece_ms = std::min(manner.delta_ms, reply.whole_ms - reply.made_ms);
        // Words run ahead of their sound.
        say_words(std::min(reply.words.size(), static_cast<std::size_t>((reply.made_ms + piece_ms) * 2 / 500 + 1)));
        out_.push_back(delta(reply, piece_ms));
        reply.made_ms += piece_ms;
        find(reply.item_id)->audio_ms = reply.made_ms;
        said_.replies[reply.item_id].samples = reply.made_ms * audio::realtime_hz / 1'000;
    }

    std::string delta(const Running& reply, std::int64_t piece_ms)
    {
        const std::int64_t from = reply.made_ms * audio::realtime_hz / 1'000, count = piece_ms * audio::realtime_hz / 1'000;
        std::vector<std::byte> pcm(static_cast<std::size_t>(count) * 2);
        for (std::int64_t i = 0; i < count; ++i) {
            const auto sample = sample_of_reply(reply.number, from + i);
            pcm[static_cast<std::size_t>(i) * 2] = static_cast<std::byte>(sample & 0xFF);
            pcm[static_cast<std::size_t>(i) * 2 + 1] = static_cast<std::byte>(sample >> 8);
        }
        const std::string event_id = "event_" + name_ + "_" + std::to_string(++events_);
        return R"({"type":"response.output_audio.delta","event_id":")" + event_id + R"(","response_id":")" + reply.id + R"(","item_id":")" +
               reply.item_id + R"(","output_index":0,"content_index":0,"delta":")" + base64(pcm) + "\"}";
    }

    void end_call()
    {
        const Running reply = *std::exchange(running_, std::nullopt);
        const std::string arguments = R"({"door":1})";
        const json::object item = call_of(reply, "completed", arguments);
        find(reply.item_id)->text = arguments;
        tell("response.function_call_arguments.done", {{"response_id", reply.id},
                                                       {"item_id", reply.item_id},
                                                       {"output_index", 0},
                                                       {"call_id", "call_" + reply.id},
                                                       {"name", "open_door"},
                                                       {"arguments", arguments}});
        tell("response.output_item.done", {{"response_id", reply.id}, {"output_index", 0}, {"item", item}});
        tell("conversation.item.done", {{"item", item}});
        done(reply.id, "completed");
    }

    void end_reply(std::string_view status)
    {
        const Running reply = *std::exchange(running_, std::nullopt);
        std::string text;
        for (std::size_t i = 0; i < reply.words_said; ++i) text += reply.words[i];
        if (status == "completed") said_.replies[reply.item_id].whole = true;
        tell("response.output_audio.done", part_of(reply, {}));
        tell("response.output_audio_transcript.done", part_of(reply, {{"transcript", text}}));
        tell("response.content_part.done", part_of(reply, {{"part", json::object{{"type", "audio"}, {"transcript", text}}}}));
        const json::object item{{"id", reply.item_id},
                                {"type", "message"},
                                {"role", "assistant"},
                                {"status", status == "completed" ? "completed" : "incomplete"},
                                {"content", json::array{{{"type", "output_audio"}, {"transcript", text}}}}};
        if (const auto kept = find(reply.item_id); kept != items.end()) kept->text = text;
        tell("response.output_item.done", {{"response_id", reply.id}, {"output_index", 0}, {"item", item}});
        tell("conversation.item.done", {{"item", item}});
        done(reply.id, status);
    }

    void done(const std::string& response_id, std::string_view status)
    {
        tell("response.done", {{"response", response_of(response_id, status)}});
        tell("rate_limits.updated", {{"rate_limits", json::array()}});
    }

    void cancel_running()
    {
        if (running_->is_call) return end_call();
        end_reply("cancelled");
    }

    struct {
        bool detects = true, answers = true, interrupts = true, transcribes = false;
        std::int64_t silence_ms = 500, padding_ms = 300;
    } session_;
    Said& said_;
    Instant began_;
    std::string name_;
    mutable std::uint64_t events_ = 0;
    std::uint64_t ids_ = 0, responses_ = 0;
    std::vector<std::string> out_;
    std::multimap<Instant, std::string> later_;
    std::optional<Instant> answer_at_;
    std::optional<Running> running_;
    bool speaking_ = false, buffer_has_audio_ = false;
    std::string turn_id_;
    VoiceCount buffer_;
    std::int64_t last_voice_ = 0;
};

}  // namespace test

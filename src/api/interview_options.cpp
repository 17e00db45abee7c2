#include "interview_options.hpp"

#include "admission.hpp"
#include "query.hpp"

#include "repartee/audio/pcm.hpp"
#include "repartee/base/quoted.hpp"
#include "repartee/providers/text.hpp"

#include <algorithm>
#include <charconv>

namespace repartee::api {
namespace {

constexpr std::size_t questions_max = 50;
constexpr std::size_t question_characters_max = 1'000;
constexpr std::size_t topic_characters_max = 500;
constexpr std::string_view voices[] = {"alloy", "echo", "fable", "onyx", "nova", "shimmer"};

/// Values as texts, whether they came in a query or as JSON.
class Options {
public:
    Options(const Settings& settings, voice::InterviewSettings& into) : configured_(settings), into_(into) {}

    Result<void> set(std::string_view name, std::string_view value)
    {
        if (name == "question") return add_question(value);
        if (name == "topic") return set_topic(value);
        if (name == "follow_ups") return set_number(name, value, 0, 5, into_.follow_ups_max);
        if (name == "questions") return set_number(name, value, 1, 50, into_.questions_max);
        if (name == "voice") return set_voice(value);
        if (name == "model") return set_model(value);
        if (name == "language") return set_language(value);
        if (name == "speed") return set_speed(value);
        if (name == "format") return set_format(value);
        if (name == "chunk_bytes") return set_number(name, value, 256, 65'536, into_.chunk_bytes);
        if (name == "input") return set_input(value);
        if (name == "input_rate") return set_rate(value);
        return {};
    }

    Result<void> add_question(std::string_view text)
    {
        if (into_.questions.size() >= questions_max) return Error{Code::invalid_value, "An interview has at most 50 questions.", "question"};
        if (!is_utf8(text)) return Error{Code::invalid_value, "A question is text in UTF-8.", "question"};
        const std::string line = providers::one_line(text, question_characters_max + 1);
        if (line.empty() || utf8_characters(line) > question_characters_max)
            return Error{Code::invalid_value, "A question has 1 to 1000 characters.", "question"};
        into_.questions.push_back(line);
        return {};
    }

    /// After all have been set.
    void finish()
    {
        if (pcm_ && !into_.input_hz) into_.input_hz = 16'000;
        if (pcm_ && rate_) into_.input_hz = rate_;
        if (!pcm_) into_.input_hz.reset();
    }

    void begin() { pcm_ = into_.input_hz.has_value(); }

private:
    template <class Number>
    Result<void> set_number(std::string_view name, std::string_view value, int least, int most, Number& into)
    {
        int number = 0;
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
        if (error != std::errc{} || end != value.data() + value.size() || number < least || number > most)
            return bad_value(name, value, "a number from " + std::to_string(least) + " to " + std::to_string(most));
        into = static_cast<Number>(number);
        return {};
    }

    Result<void> set_topic(std::string_view value)
    {
        if (!is_utf8(value) || utf8_characters(value) > topic_characters_max)
            return Error{Code::invalid_value, "A topic has at most 500 characters.", "topic"};
        into_.topic = providers::one_line(value, topic_characters_max);
        return {};
    }

    Result<void> set_voice(std::string_view value)
    {
        const std::string lower = providers::lower_case(value);
        if (std::find(std::begin(voices), std::end(voices), lower) != std::end(voices)) {
            into_.voice = lower;
            return {};
        }
        if (value == configured_.interview.voice) return {};
        for (const std::string& id : configured_.voice_ids) {
            if (providers::lower_case(id) != lower) continue;
            into_.voice = id;
            return {};
        }
        std::string known = "alloy, echo, fable, onyx, nova, shimmer";
        for (const std::string& id : configured_.voice_ids) known += ", " + id;
        return bad_value("voice", value, known);
    }

    Result<void> set_model(std::string_view value)
    {
        const std::string& own = configured_.interview.model;
        if (value != "tts-1" && value != "tts-1-hd" && value != own)
            return bad_value("model", value, own.empty() ? "tts-1 or tts-1-hd" : "tts-1, tts-1-hd or " + own);
        into_.model = value;
        return {};
    }

    Result<void> set_language(std::string_view value)
    {
        if (!is_language(value)) return bad_value("language", value, "a language code such as ko or en");
        into_.language = value;
        return {};
    }

    Result<void> set_speed(std::string_view value)
    {
        double speed = 0;
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), speed);
        if (error != std::errc{} || end != value.data() + value.size() || !(speed >= 0.25 && speed <= 4))
            return bad_value("speed", value, "a number from 0.25 to 4");
        into_.speed = speed;
        return {};
    }

    Result<void> set_format(std::string_view value)
    {
        const auto known = audio::parse_reply_format(value);
        if (!known) return bad_value("format", value, "mp3, wav, opus or pcm");
        into_.format = *known;
        return {};
    }

    Result<void> set_input(std::string_view value)
    {
        if (value != "file" && value != "pcm16") return bad_value("input", value, "file (WebM, Ogg, MP3, WAV, M4A) or pcm16");
        pcm_ = value == "pcm16";
        return {};
    }

    Result<void> set_rate(std::string_view value)
    {
        int hz = 0;
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), hz);
        if (error != std::errc{} || end != value.data() + value.size() || !audio::is_client_rate(hz))
            return bad_value("input_rate", value, "8000, 16000, 24000, 44100 or 48000");
        rate_ = hz;
        return {};
    }

    const Settings& configured_;
    voice::InterviewSettings& into_;
    bool pcm_ = false;
    std::optional<int> rate_;
};

constexpr std::string_view names[] = {"topic",  "follow_ups", "questions", "voice", "model", "language",
                                      "speed",  "format",     "chunk_bytes", "input", "input_rate"};

}  // namespace

Result<voice::InterviewSettings> interview_from_query(const Settings& settings, const net::Request& request)
{
    voice::InterviewSettings interview = settings.interview;
    Options options(settings, interview);
    options.begin();
    for (const std::string_view name : names)
        if (const auto value = request.query_value(name))
            if (const auto set = options.set(name, *value); !set) return set.error();
    const auto [first, last] = request.query.equal_range("question");
    if (first != last) interview.questions.clear();
    for (auto it = first; it != last; ++it)
        if (const auto added = options.add_question(it->second); !added) return added.error();
    options.finish();
    return interview;
}

Result<voice::InterviewSettings> interview_from_json(const Settings& settings, const json::object& body)
{
    voice::InterviewSettings interview = settings.interview;
    Options options(settings, interview);
    options.begin();
    for (const auto& member : body) {
        const std::string_view name = member.key();
        if (name == "questions" && member.value().is_array()) {
            interview.questions.clear();
            for (const json::value& question : member.value().get_array()) {
                if (!question.is_string()) return Error{Code::invalid_value, "questions is an array of texts.", "questions"};
                if (const auto added = options.add_question(std::string_view(question.get_string())); !added) return added.error();
            }
            continue;
        }
        // The most questions: a name of its own, since `questions` is the list here.
        const std::string_view option = name == "questions_max" ? std::string_view("questions") : name;
        if (name == "questions" || std::find(std::begin(names), std::end(names), option) == std::end(names))
            return Error{Code::unknown_parameter, "An interview has no member " + quoted(utf8_prefix(name, 64)) + " of this kind.",
                         std::string(utf8_prefix(name, 64))};
        std::string text = json::to_text(member.value());
        if (member.value().is_string()) text = std::string_view(member.value().get_string());
        if (const auto set = options.set(option, text); !set) return set.error();
    }
    options.finish();
    return interview;
}

void use_voice_of(const characters::Character* interviewer, bool client_named_one, voice::InterviewSettings& interview)
{
    if (!interviewer || client_named_one) return;
    const std::string& own = interviewer->voice_id.empty() ? interviewer->openai_voice : interviewer->voice_id;
    if (!own.empty()) interview.voice = own;
}

Result<std::shared_ptr<const characters::Character>> find_interviewer(const Shared& shared)
{
    if (shared.settings.interview_character.empty()) return std::shared_ptr<const characters::Character>();
    return find_character(shared, shared.settings.interview_character);
}

}  // namespace repartee::api

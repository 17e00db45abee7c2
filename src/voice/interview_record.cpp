#include "repartee/voice/interview.hpp"

namespace repartee::voice {
namespace {

json::array texts(const std::vector<std::string>& list) { return json::array(list.begin(), list.end()); }

json::object to_json(const InterviewSettings& settings)
{
    json::object o{{"questions", texts(settings.questions)},
                   {"closing_line", settings.closing_line},
                   {"follow_ups_max", settings.follow_ups_max},
                   {"questions_max", settings.questions_max},
                   {"topic", settings.topic},
                   {"language", settings.language},
                   {"voice", settings.voice},
                   {"model", settings.model},
                   {"speed", settings.speed},
                   {"format", audio::file_extension(settings.format)},
                   {"bitrate_kbps", settings.bitrate_kbps},
                   {"chunk_bytes", settings.chunk_bytes},
                   {"answer_bytes_max", settings.answer_bytes_max},
                   {"answer_limit_ms", settings.answer_limit.count()},
                   {"stage_limit_ms", settings.stage_limit.count()},
                   {"resume_limit_ms", settings.resume_limit.count()}};
    if (settings.input_hz) o["input_hz"] = *settings.input_hz;
    return o;
}

json::object to_json(const InterviewState& state)
{
    json::array exchanges;
    for (const InterviewState::Exchange& one : state.exchanges)
        exchanges.push_back(json::object{{"question", one.question}, {"answer", one.answer}, {"made", one.made}});
    return {{"exchanges", std::move(exchanges)},
            {"answered", state.answered},
            {"finished", state.finished},
            {"questions", texts(state.questions)},
            {"follow_ups", state.follow_ups}};
}

/// Reads members of an object, and remembers the first that is not as it was written.
class Reader {
public:
    explicit Reader(const json::object& o) : object_(o) {}

    void text(std::string_view name, std::string& into)
    {
        if (const auto found = json::find_string(object_, name))
            into = *found;
        else
            miss(name);
    }
    template <class Number>
    void number(std::string_view name, Number& into)
    {
        if (const auto found = json::find_int(object_, name); found && *found >= 0)
            into = static_cast<Number>(*found);
        else
            miss(name);
    }
    void real(std::string_view name, double& into)
    {
        if (const auto found = json::find_number(object_, name))
            into = *found;
        else
            miss(name);
    }
    void flag(std::string_view name, bool& into)
    {
        if (const auto found = json::find_bool(object_, name))
            into = *found;
        else
            miss(name);
    }
    void milliseconds_of(std::string_view name, std::chrono::milliseconds& into)
    {
        std::int64_t count = 0;
        number(name, count);
        into = std::chrono::milliseconds(count);
    }
    void list(std::string_view name, std::vector<std::string>& into)
    {
        const json::array* const found = json::find_array(object_, name);
        if (!found) return miss(name);
        for (const json::value& item : *found) {
            if (!item.is_string()) return miss(name);
            into.emplace_back(item.get_string());
        }
    }
    void miss(std::string_view name)
    {
        if (missing_.empty()) missing_ = name;
    }
    Result<void> result() const
    {
        if (missing_.empty()) return {};
        return Error{Code::invalid_value, "A stored interview has no usable member " + missing_ + ".", missing_};
    }

private:
    const json::object& object_;
    std::string missing_;
};

Result<InterviewSettings> parse_settings(const json::object& o)
{
    InterviewSettings settings;
    Reader reader(o);
    std::string format;
    reader.list("questions", settings.questions);
    reader.text("closing_line", settings.closing_line);
    reader.number("follow_ups_max", settings.follow_ups_max);
    reader.number("questions_max", settings.questions_max);
    reader.text("topic", settings.topic);
    reader.text("language", settings.language);
    reader.text("voice", settings.voice);
    reader.text("model", settings.model);
    reader.real("speed", settings.speed);
    reader.text("format", format);
    reader.number("bitrate_kbps", settings.bitrate_kbps);
    reader.number("chunk_bytes", settings.chunk_bytes);
    reader.number("answer_bytes_max", settings.answer_bytes_max);
    reader.milliseconds_of("answer_limit_ms", settings.answer_limit);
    reader.milliseconds_of("stage_limit_ms", settings.stage_limit);
    reader.milliseconds_of("resume_limit_ms", settings.resume_limit);
    if (json::find(o, "input_hz")) {
        settings.input_hz = 0;
        reader.number("input_hz", *settings.input_hz);
        if (*settings.input_hz <= 0) reader.miss("input_hz");
    }
    const auto known = audio::parse_reply_format(format);
    if (!known) reader.miss("format");
    if (settings.chunk_bytes == 0) reader.miss("chunk_bytes");
    if (const auto read = reader.result(); !read) return read.error();
    settings.format = *known;
    return settings;
}

Result<InterviewState> parse_state(const json::object& o)
{
    InterviewState state;
    Reader reader(o);
    reader.flag("answered", state.answered);
    reader.flag("finished", state.finished);
    reader.list("questions", state.questions);
    reader.number("follow_ups", state.follow_ups);
    const json::array* const exchanges = json::find_array(o, "exchanges");
    if (!exchanges) reader.miss("exchanges");
    if (const auto read = reader.result(); !read) return read.error();
    for (const json::value& item : *exchanges) {
        if (!item.is_object()) return Error{Code::invalid_value, "A stored interview has an exchange that is no object.", "exchanges"};
        InterviewState::Exchange exchange;
        Reader of_item(item.get_object());
        of_item.text("question", exchange.question);
        of_item.text("answer", exchange.answer);
        of_item.flag("made", exchange.made);
        if (const auto read = of_item.result(); !read) return read.error();
        state.exchanges.push_back(std::move(exchange));
    }
    return state;
}

}  // namespace

std::string to_text(const InterviewRecord& record)
{
    return json::to_text(json::object{{"settings", to_json(record.settings)}, {"state", to_json(record.state)}});
}

Result<InterviewRecord> parse_interview_record(std::string_view json_text)
{
    const auto o = json::parse_object(json_text);
    if (!o) return o.error();
    const json::object* const settings = json::find_object(*o, "settings");
    const json::object* const state = json::find_object(*o, "state");
    if (!settings || !state) return Error{Code::invalid_value, "A stored interview has no settings or no state.", "settings"};
    auto parsed_settings = parse_settings(*settings);
    if (!parsed_settings) return parsed_settings.error();
    auto parsed_state = parse_state(*state);
    if (!parsed_state) return parsed_state.error();
    return InterviewRecord{std::move(*parsed_settings), std::move(*parsed_state)};
}

json::array transcript_of(const InterviewState& state)
{
    json::array transcript;
    for (std::size_t i = 0; i < state.exchanges.size(); ++i) {
        const bool open = i + 1 == state.exchanges.size() && !state.answered;
        if (!open) transcript.push_back(json::object{{"question", state.exchanges[i].question}, {"answer", state.exchanges[i].answer}});
    }
    return transcript;
}

}  // namespace repartee::voice

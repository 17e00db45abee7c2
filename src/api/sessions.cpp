#include "sessions.hpp"

#include "file_response.hpp"
#include "handlers.hpp"
#include "query.hpp"
#include "respond.hpp"
#include "voice_chat_form.hpp"

#include "repartee/base/quoted.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

namespace repartee::api {
namespace {

constexpr std::size_t user_bytes_max = 128;

Error unknown_session() { return {Code::not_found, "There is no conversation of this session id, or it was deleted."}; }

net::Response refuse(Shared& shared, const Error& error)
{
    shared.metrics.count_error(error.code);
    return respond_error(error);
}

Error nobody_named()
{
    return {Code::missing_required_parameter, "Name whose conversations are to be deleted: DELETE /api/v1/sessions?user=…", "user"};
}

Error nothing_is_kept()
{
    return {Code::not_found, "This server keeps nothing of conversations: transcripts.enabled and recording.enabled are off."};
}

bool is_file(const std::string& path)
{
    struct stat status {};
    return !path.empty() && ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

json::object line_json(const store::StoredLine& stored)
{
    const conversation::Line& line = stored.line;
    return {{"number", line.number}, {"item_id", line.item_id}, {"role", line.role},         {"text", line.text},
            {"heard", line.heard},   {"cut", line.cut},         {"heard_ms", line.heard_ms}, {"audio_ms", line.audio_ms},
            {"unix_ms", stored.unix_ms}};
}

json::object conversation_json(const store::StoredConversation& kept, bool has_recording)
{
    json::array lines;
    for (const store::StoredLine& line : kept.lines) lines.push_back(line_json(line));
    json::object answer{{"session_id", kept.id}, {"character_id", kept.character_id}, {"started_unix_ms", kept.started_unix_ms}};
    answer["user"] = kept.user.empty() ? json::value(nullptr) : json::value(kept.user);
    answer["ended_unix_ms"] = kept.ended_unix_ms == 0 ? json::value(nullptr) : json::value(kept.ended_unix_ms);
    answer["recording_url"] = has_recording ? json::value("/api/v1/sessions/" + kept.id + "/recording") : json::value(nullptr);
    answer["lines"] = std::move(lines);
    return answer;
}

/// One line stays one: what follows a line break is set in, so that nobody's words look like somebody else's turn.
std::string set_in(std::string_view text)
{
    std::string out;
    for (const char c : text) {
        if (c == '\r') continue;
        out += c;
        if (c == '\n') out += "            ";
    }
    return out;
}

std::string words_of(const conversation::Line& line)
{
    const double heard_s = static_cast<double>(line.heard_ms) / 1e3;
    if (!line.cut) return line.text.empty() ? "[not understood]" : set_in(line.text);
    if (line.heard.empty() && line.heard_ms == 0) return "[cut off before it was heard]";
    return fmt::format("{} … [cut off after {:.1f} s]", set_in(line.heard), heard_s);
}

std::string_view speaker_of(const conversation::Line& line, const std::string& character_id)
{
    return line.role == "assistant" && !character_id.empty() ? std::string_view(character_id) : std::string_view(line.role);
}

std::string clock_of(std::int64_t ms)
{
    const std::int64_t s = std::max<std::int64_t>(ms, 0) / 1000;
    return s < 3600 ? fmt::format("{:02}:{:02}", s / 60, s % 60) : fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

}  // namespace

Result<void> read_user(const net::Request& request, std::string& user)
{
    const auto value = request.query_value("user");
    if (!value) return {};
    const bool is_plain = std::none_of(value->begin(), value->end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
    if (value->empty() || value->size() > user_bytes_max || !is_plain || !is_utf8(*value))
        return bad_query("user", *value, fmt::format("1 to {} bytes of text", user_bytes_max));
    user = *value;
    return {};
}

std::string transcript_text(const store::StoredConversation& kept)
{
    std::string text = fmt::format("{}, {:%Y-%m-%d %H:%M:%S} UTC", kept.id, fmt::gmtime(static_cast<std::time_t>(kept.started_unix_ms / 1000)));
    if (!kept.character_id.empty()) text += ", with " + kept.character_id;
    if (!kept.user.empty()) text += ", user " + kept.user;
    if (kept.ended_unix_ms > 0) text += ", " + clock_of(kept.ended_unix_ms - kept.started_unix_ms);
    text += "\n\n";
    for (const store::StoredLine& stored : kept.lines) {
        const std::string_view speaker = speaker_of(stored.line, kept.character_id);
        text += fmt::format("[{}] {}: {}\n", clock_of(stored.unix_ms - kept.started_unix_ms), speaker, words_of(stored.line));
    }
    return text;
}

awaitable<net::Reply> get_transcript(Services& services, net::Request request, PathParams params)
{
    const std::string id = params.at("id");
    const std::string format(request.query_value("format").value_or("json"));
    if (format != "json" && format != "text") co_return respond_error(bad_query("format", format, "json or text"));
    if (!services.shared.archive) co_return respond_error(nothing_is_kept());
    if (!is_session_id(id)) co_return respond_error(unknown_session());
    const auto found = co_await services.shared.archive->look(id);
    if (!found) co_return refuse(services.shared, found.error());
    if (!*found) co_return respond_error(unknown_session());
    net::Response response;
    if (format == "json") {
        response = respond_json(200, conversation_json(**found, is_file(services.shared.archive->recording_path(id))));
    } else {
        response.headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
        response.body = transcript_text(**found);
    }
    response.headers.emplace_back("Cache-Control", "no-store");
    co_return response;
}

awaitable<net::Reply> delete_session(Services& services, net::Request, PathParams params)
{
    const std::string id = params.at("id");
    if (!services.shared.archive) co_return respond_error(nothing_is_kept());
    if (!is_session_id(id)) co_return respond_error(unknown_session());
    const auto forgotten = co_await services.shared.archive->forget(id);
    if (!forgotten) co_return refuse(services.shared, forgotten.error());
    if (!*forgotten) co_return respond_error(unknown_session());
    co_return respond_no_content();
}

awaitable<net::Reply> delete_sessions(Services& services, net::Request request, PathParams)
{
    std::string user;
    if (const auto read = read_user(request, user); !read) co_return respond_error(read.error());
    if (user.empty()) co_return respond_error(nobody_named());
    if (!services.shared.archive) co_return respond_error(nothing_is_kept());
    const auto deleted = co_await services.shared.archive->forget_user(user);
    if (!deleted) co_return refuse(services.shared, deleted.error());
    co_return respond_json(200, {{"deleted", *deleted}});
}

net::Reply get_recording(Services& services, net::Request&& request, const PathParams& params)
{
    if (!services.shared.archive) return respond_error(nothing_is_kept());
    // Empty unless it is made of letters, digits, _ and -: only such names reach the file system.
    const std::string path = services.shared.archive->recording_path(params.at("id"));
    if (!path.empty())
        if (auto file = file_response(path, "audio/wav", request)) {
            file->headers.emplace_back("X-Content-Type-Options", "nosniff");
            return std::move(*file);
        }
    return respond_error({Code::not_found, "There is no recording of this session id: recording.enabled was off, or it was deleted."});
}

}  // namespace repartee::api

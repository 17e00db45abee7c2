#include "voice_chat_form.hpp"

#include "query.hpp"

#include "repartee/base/ids.hpp"
#include "repartee/base/quoted.hpp"
#include "repartee/net/multipart.hpp"
#include "repartee/providers/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace repartee::api {
namespace {

constexpr std::size_t field_bytes_max = 256;

Result<std::string> read_field(const std::vector<net::FormPart>& parts, const net::Request& request, std::string_view name)
{
    std::string_view value = request.query_value(name).value_or("");
    if (const net::FormPart* part = net::find_part(parts, name)) value = part->bytes;
    if (value.size() > field_bytes_max || !is_utf8(value))
        return Error{Code::invalid_value, "The field " + std::string(name) + " is text of at most 256 bytes in UTF-8.", std::string(name)};
    return std::string(value);
}

Result<void> read_format(const std::string& word, std::string_view accept, audio::ReplyFormat& format)
{
    if (word.empty()) {
        format = audio::accepted_reply_format(accept).value_or(audio::ReplyFormat::mp3);
        return {};
    }
    const auto known = audio::parse_reply_format(word);
    if (!known) return bad_value("format", word, "mp3, wav, opus or pcm");
    format = *known;
    return {};
}

}  // namespace

bool is_session_id(std::string_view text)
{
    return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    });
}

bool wants_json(std::string_view accept_header)
{
    double best = 0;
    bool json = false;
    while (!accept_header.empty()) {
        const std::size_t comma = accept_header.find(',');
        const std::string item = providers::lower_case(accept_header.substr(0, comma));
        accept_header.remove_prefix(comma == std::string_view::npos ? accept_header.size() : comma + 1);
        const std::string_view type = providers::trim(std::string_view(item).substr(0, item.find(';')));
        const bool is_json = type == "application/json";
        if (!is_json && !type.starts_with("audio/")) continue;
        double q = 1;
        if (const std::size_t at = item.find("q="); at != std::string::npos) {
            const auto [end, error] = std::from_chars(item.data() + at + 2, item.data() + item.size(), q);
            if (error != std::errc{}) q = 0;
        }
        if (q <= best) continue;
        best = q;
        json = is_json;
    }
    return json;
}

Result<VoiceChatForm> read_voice_chat_form(net::Request& request, std::size_t upload_bytes_max)
{
    const auto parts = net::parse_multipart(request.header("content-type"), request.body, {});
    if (!parts) return parts.error();
    const net::FormPart* audio = net::find_part(*parts, "audio");
    if (!audio || audio->bytes.empty())
        return Error{Code::missing_required_parameter, "The form has no recording: put it into the field `audio`, e.g. curl -F audio=@question.wav.",
                     "audio"};
    if (audio->bytes.size() > upload_bytes_max)
        return Error{Code::too_large, fmt::format("The recording has {} bytes; at most {} (voice_chat.upload_bytes_max) are taken.",
                                                  audio->bytes.size(), upload_bytes_max), "audio"};

    VoiceChatForm form;
    std::string format, wait;
    const std::pair<std::string_view, std::string*> fields[] = {{"session_id", &form.chat.session_id}, {"character", &form.character_id},
                                                                {"language", &form.chat.language},     {"voice", &form.chat.voice},
                                                                {"format", &format},                   {"wait", &wait}};
    for (const auto& [name, member] : fields) {
        auto value = read_field(*parts, request, name);
        if (!value) return value.error();
        *member = std::move(*value);
    }
    if (form.chat.session_id.empty()) form.chat.session_id = make_id("chat_");
    if (!is_session_id(form.chat.session_id)) return bad_value("session_id", form.chat.session_id, "1 to 64 letters, digits, _ and -");
    if (!form.chat.language.empty() && !is_language(form.chat.language))
        return bad_value("language", form.chat.language, "a language code such as ko or en");
    if (auto read = read_format(format, request.header("accept"), form.chat.format); !read) return read.error();
    if (!wait.empty() && wait != "text" && wait != "sound") return bad_value("wait", wait, "text or sound");
    form.chat.wait_for_text = wait == "text";
    form.as_json = format.empty() && wants_json(request.header("accept"));

    // The recording stays in the body's memory: it may be large.
    const auto offset = static_cast<std::size_t>(audio->bytes.data() - request.body.data());
    const std::size_t bytes = audio->bytes.size();
    form.chat.audio.file = std::move(request.body);
    form.chat.audio.file.resize(offset + bytes);
    form.chat.audio.file.erase(0, offset);
    const auto beginning = std::as_bytes(std::span(form.chat.audio.file)).first(std::min(bytes, audio::signature_bytes));
    form.chat.audio.container = audio::detect_container(beginning);
    return form;
}

}  // namespace repartee::api

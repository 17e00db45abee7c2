#include "api/voice_chat_form.hpp"

#include "repartee/net/multipart.hpp"

#include <catch2/catch.hpp>

using namespace repartee;
using namespace repartee::api;

namespace {

const std::string wav = "RIFF....WAVEfmt and so on, long enough for a signature to be found in it............";

net::Request request_with(const std::vector<std::pair<std::string, std::string>>& fields, const std::string& audio)
{
    net::MultipartWriter writer;
    for (const auto& [name, value] : fields) writer.field(name, value);
    if (!audio.empty()) writer.file("audio", "question.mp3", "audio/mpeg", audio);
    net::Request request;
    request.method = "POST";
    request.headers = {{"content-type", writer.content_type()}};
    for (const std::string& piece : writer.take()) request.body += piece;
    return request;
}

VoiceChatForm read(net::Request request) { return read_voice_chat_form(request, 1'000).value(); }

Error refused(net::Request request) { return read_voice_chat_form(request, 1'000).error(); }

}  // namespace

TEST_CASE("a form with a recording is enough")
{
    const VoiceChatForm form = read(request_with({}, wav));
    REQUIRE(form.chat.audio.file == wav);
    REQUIRE(form.chat.audio.container == audio::Container::wav);
    REQUIRE(form.chat.session_id.starts_with("chat_"));
    REQUIRE(is_session_id(form.chat.session_id));
    REQUIRE(form.chat.format == audio::ReplyFormat::mp3);
    REQUIRE_FALSE(form.as_json);
    REQUIRE_FALSE(form.chat.wait_for_text);
}

TEST_CASE("fields win over the query, and the format over Accept")
{
    net::Request request = request_with({{"session_id", "abc-1"}, {"voice", "onyx"}, {"format", "wav"}, {"character", "elena"}}, wav);
    request.query = {{"session_id", "from_query"}, {"language", "en"}, {"wait", "text"}};
    request.headers.emplace_back("accept", "application/json");
    const VoiceChatForm form = read(request);
    REQUIRE(form.chat.session_id == "abc-1");
    REQUIRE(form.chat.language == "en");
    REQUIRE(form.chat.voice == "onyx");
    REQUIRE(form.chat.format == audio::ReplyFormat::wav);
    REQUIRE(form.character_id == "elena");
    REQUIRE(form.chat.wait_for_text);
    REQUIRE_FALSE(form.as_json);
}

TEST_CASE("what is not accepted is named")
{
    REQUIRE(refused(request_with({}, "")).code == Code::missing_required_parameter);
    REQUIRE(refused(request_with({}, "")).param == "audio");
    REQUIRE(refused(request_with({}, std::string(1'001, 'x'))).code == Code::too_large);
    REQUIRE(refused(request_with({{"session_id", "a b"}}, wav)).param == "session_id");
    REQUIRE(refused(request_with({{"session_id", std::string(65, 'a')}}, wav)).param == "session_id");
    REQUIRE(refused(request_with({{"format", "midi"}}, wav)).param == "format");
    REQUIRE(refused(request_with({{"language", "한국어"}}, wav)).param == "language");
    REQUIRE(refused(request_with({{"voice", std::string(300, 'v')}}, wav)).param == "voice");
    REQUIRE(refused(request_with({{"voice", "\xFF"}}, wav)).param == "voice");
    net::Request waiting = request_with({}, wav);
    waiting.query = {{"wait", "ever"}};
    REQUIRE(refused(waiting).param == "wait");
    net::Request no_form;
    no_form.headers = {{"content-type", "application/json"}};
    no_form.body = "{}";
    REQUIRE(refused(no_form).code == Code::unsupported_content);
}

TEST_CASE("JSON is answered to those who would rather have it than sound")
{
    REQUIRE(wants_json("application/json"));
    REQUIRE(wants_json("application/json, audio/mpeg"));
    REQUIRE(wants_json("text/html, APPLICATION/JSON;q=0.9"));
    REQUIRE(wants_json("audio/mpeg;q=0.5, application/json"));
    REQUIRE_FALSE(wants_json("audio/mpeg, application/json"));
    REQUIRE_FALSE(wants_json("application/json;q=0.2, audio/wav;q=0.3"));
    REQUIRE_FALSE(wants_json("application/json;q=0"));
    REQUIRE_FALSE(wants_json("*/*"));
    REQUIRE_FALSE(wants_json(""));
    REQUIRE_FALSE(wants_json("application/json;q=x"));
}

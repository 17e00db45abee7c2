#include "repartee/realtime/session_config.hpp"

#include <catch2/catch.hpp>

using namespace repartee;
using namespace repartee::realtime;

namespace {

SessionConfig some_session()
{
    SessionConfig config;
    config.id = "sess_1";
    config.model = "gpt-realtime-2.1";
    return config;
}

json::object parse(std::string_view text)
{
    auto object = json::parse_object(text);
    REQUIRE(object.has_value());
    return *object;
}

Result<void> update(SessionConfig& config, std::string_view session, bool voice_locked = false)
{
    return apply_session_update(config, parse(session), voice_locked);
}

SessionConfig after(std::string_view session, SessionConfig config = some_session())
{
    CAPTURE(session);
    const auto result = update(config, session);
    if (!result) FAIL(result.error().message);
    return config;
}

std::string text_of(const SessionConfig& config) { return json::to_text(to_json(config)); }

std::string many(std::string_view element, int count)
{
    std::string list = "[";
    for (int i = 0; i < count; ++i) list.append(i == 0 ? "" : ",").append(element);
    return list + "]";
}

}  // namespace

TEST_CASE("an update changes the fields it names and no other")
{
    const SessionConfig before = some_session();
    const SessionConfig config = after(R"({"type":"realtime","instructions":"Be brief.","audio":{"output":{"speed":1.25}}})");
    CHECK(config.instructions == "Be brief.");
    CHECK(config.speed == 1.25);
    CHECK(config.voice == before.voice);
    CHECK(config.turn_detection == before.turn_detection);
    CHECK(config.id == before.id);
    CHECK(text_of(after(R"({"type":"realtime"})")) == text_of(before));
}

TEST_CASE("every field of a session can be set")
{
    const SessionConfig config = after(R"({
        "type":"realtime","model":"another-model","output_modalities":["text"],"instructions":"",
        "audio":{
            "input":{
                "format":{"type":"audio/pcmu"},
                "transcription":{"model":"gpt-transcribe","languages":["ko","en"],"keywords":["a"],"prompt":"p","delay":"low"},
                "noise_reduction":{"type":"far_field"},
                "turn_detection":{"type":"server_vad","threshold":0,"prefix_padding_ms":10000,"silence_duration_ms":0,
                                  "idle_timeout_ms":30000,"create_response":false,"interrupt_response":false}},
            "output":{"format":{"type":"audio/pcma","rate":8000},"voice":"Cedar","speed":0.25}},
        "tools":[{"type":"function","name":"set_light","description":"d","parameters":{"type":"object"}},{"type":"function","name":"b"}],
        "tool_choice":{"type":"function","name":"set_light"},
        "parallel_tool_calls":true,"reasoning":{"effort":"xhigh"},"max_output_tokens":4096,
        "truncation":{"type":"retention_ratio","retention_ratio":0.8,"token_limits":{"post_instructions":8000}},
        "tracing":{"workflow_name":"w","group_id":"g","metadata":{"a":1}},
        "prompt":{"id":"pmpt_1","version":"2","variables":{"x":"y"}},
        "include":["item.input_audio_transcription.logprobs"]})");
    CHECK(config.model == "gpt-realtime-2.1");
    CHECK_FALSE(config.audio_output);
    CHECK(config.input_format == AudioFormat{AudioFormat::Type::pcmu, 8'000});
    CHECK(config.output_format == AudioFormat{AudioFormat::Type::pcma, 8'000});
    CHECK(config.input_transcription.at("languages").as_array().size() == 2);
    CHECK(config.noise_reduction.at("type") == "far_field");
    CHECK(config.turn_detection.threshold == 0);
    CHECK(config.turn_detection.idle_timeout_ms == 30'000);
    CHECK(config.voice == "cedar");
    CHECK(config.speed == 0.25);
    CHECK(config.tools.size() == 2);
    CHECK(config.tool_choice.at("name") == "set_light");
    CHECK(config.extra.at("parallel_tool_calls") == true);
    CHECK(config.extra.at("reasoning").at("effort") == "xhigh");
    CHECK(config.max_output_tokens == 4096);
    CHECK(config.truncation.at("retention_ratio") == 0.8);
    CHECK(config.tracing.at("workflow_name") == "w");
    CHECK(config.prompt.at("id") == "pmpt_1");
    CHECK(config.include.as_array().size() == 1);
}

TEST_CASE("null turns off what can be off, and reads as absent elsewhere")
{
    SessionConfig on = after(R"({"type":"realtime","instructions":"kept","prompt":{"id":"p"},"include":[],
        "audio":{"input":{"transcription":{"model":"whisper-1"},"noise_reduction":{"type":"near_field"}}}})");
    const SessionConfig off = after(R"({"type":"realtime","instructions":null,"output_modalities":null,"tools":null,"tool_choice":null,
        "max_output_tokens":null,"truncation":null,"tracing":null,"prompt":null,"include":null,
        "reasoning":null,"parallel_tool_calls":null,"model":null,
        "audio":{"input":{"format":null,"transcription":null,"noise_reduction":null,"turn_detection":null},
                 "output":{"voice":null,"speed":null,"format":null}}})", on);
    CHECK(off.instructions == "kept");
    CHECK(off.input_transcription.is_null());
    CHECK(off.noise_reduction.is_null());
    CHECK(off.turn_detection.type == TurnDetection::Type::none);
    CHECK(off.prompt.is_null());
    CHECK(off.include.is_null());
    CHECK(off.tool_choice == "auto");
    CHECK(off.extra.empty());
    CHECK(text_of(after(R"({"type":"realtime","audio":null})", on)) == text_of(on));
}

TEST_CASE("what the official agents SDK sends is accepted")
{
    const SessionConfig traced = after(R"({"type":"realtime","tracing":"auto"})");
    CHECK(traced.tracing == "auto");
    const SessionConfig config = after(R"({"type":"realtime","model":"gpt-realtime","instructions":"i","output_modalities":["audio"],
        "audio":{"input":{"format":{"type":"audio/pcm","rate":24000},"noise_reduction":null,
                          "transcription":{"model":"gpt-4o-mini-transcribe"},"turn_detection":{"type":"semantic_vad"}},
                 "output":{"format":{"type":"audio/pcm","rate":24000},"voice":"ash","speed":1}},
        "tools":[],"tool_choice":"auto"})", traced);
    CHECK(config.turn_detection.type == TurnDetection::Type::semantic_vad);
    CHECK(json::find_string(to_json(config), "audio.input.turn_detection.type") == "semantic_vad");
    CHECK(config.tracing == "auto");
}

TEST_CASE("a transcription setting is merged, and null takes one member out")
{
    const SessionConfig first = after(R"({"type":"realtime","audio":{"input":{"transcription":{"model":"whisper-1","language":"ko"}}}})");
    const SessionConfig second = after(R"({"type":"realtime","audio":{"input":{"transcription":{"language":null,"prompt":"p"}}}})", first);
    CHECK(json::to_text(second.input_transcription) == R"({"model":"whisper-1","prompt":"p"})");
}

TEST_CASE("a transcription session takes its input side only")
{
    SessionConfig config = some_session();
    config.transcription_only = true;
    config = after(R"({"type":"transcription","include":["item.input_audio_transcription.logprobs"],
        "audio":{"input":{"transcription":{"model":"gpt-realtime-whisper","delay":"minimal"},"turn_detection":null}}})", config);
    CHECK(config.turn_detection.type == TurnDetection::Type::none);
    const std::pair<const char*, const char*> rows[] = {
        {R"({"type":"transcription","instructions":"x"})", "session.instructions"},
        {R"({"type":"transcription","audio":{"output":{"voice":"ash"}}})", "session.audio.output"},
        {R"({"type":"realtime"})", "session.type"},
    };
    for (const auto& [session, param] : rows) {
        const auto result = update(config, session);
        REQUIRE_FALSE(result.has_value());
        CHECK(result.error().param == param);
    }
}

TEST_CASE("nulls inside of what is echoed read as absent")
{
    const SessionConfig config = after(R"({"type":"realtime",
        "tools":[{"type":"function","name":"a","description":null,"parameters":{"default":null}}],
        "tracing":{"workflow_name":null,"group_id":"g"},
        "truncation":{"type":"retention_ratio","retention_ratio":1,"token_limits":{"post_instructions":null}},
        "reasoning":{"effort":null},"prompt":{"id":"p","version":null,"variables":null}})");
    CHECK(json::to_text(config.tools) == R"([{"type":"function","name":"a","parameters":{"default":null}}])");
    CHECK(json::to_text(config.tracing) == R"({"group_id":"g"})");
    CHECK(json::to_text(config.truncation) == R"({"type":"retention_ratio","retention_ratio":1,"token_limits":{}})");
    CHECK(json::to_text(config.extra) == R"({"reasoning":{}})");
    CHECK(json::to_text(config.prompt) == R"({"id":"p"})");
}

TEST_CASE("a custom voice is given by its id")
{
    CHECK(after(R"({"type":"realtime","audio":{"output":{"voice":{"id":"voice_Ab1"}}}})").voice == "voice_Ab1");
}

TEST_CASE("the voice a session started with is accepted although it is not a built-in one")
{
    SessionConfig config = some_session();
    config.voice = "Nova";
    CHECK(after(R"({"type":"realtime","audio":{"output":{"voice":"nova"}}})", config).voice == "Nova");
}

TEST_CASE("a voice that was heard stays")
{
    SessionConfig config = some_session();
    CHECK(update(config, R"({"type":"realtime","audio":{"output":{"voice":"Alloy","speed":1.5}}})", true).has_value());
    CHECK(config.speed == 1.5);
    for (const char* session : {R"({"type":"realtime","audio":{"output":{"voice":"marin"}}})",
                                R"({"type":"realtime","audio":{"output":{"voice":{"id":"v"}}}})"}) {
        const auto result = update(config, session, true);
        REQUIRE_FALSE(result.has_value());
        CHECK(result.error().upstream_code == "cannot_update_voice");
        CHECK(result.error().param == "session.audio.output.voice");
        CHECK(config.voice == "alloy");
    }
}

TEST_CASE("tracing cannot change once it is on")
{
    const SessionConfig traced = after(R"({"type":"realtime","tracing":{"group_id":"g"}})");
    CHECK(text_of(after(R"({"type":"realtime","tracing":{"group_id":"g"}})", traced)) == text_of(traced));
    for (const char* session : {R"({"type":"realtime","tracing":"auto"})", R"({"type":"realtime","tracing":null})"}) {
        SessionConfig config = traced;
        const auto result = update(config, session);
        REQUIRE_FALSE(result.has_value());
        CHECK(result.error().param == "session.tracing");
    }
}

TEST_CASE("a wrong update is refused with its field, and nothing of it is applied")
{
    using enum Code;
    struct Row {
        std::string members;  ///< beside type and a good change
        Code code;
        std::string param;
    };
    const Row rows[] = {
        {R"("output_modalities":["audio","text"])", invalid_value, "session.output_modalities"},
        {R"("output_modalities":[])", invalid_value, "session.output_modalities"},
        {R"("output_modalities":"audio")", invalid_value, "session.output_modalities"},
        {R"("output_modalities":["video"])", invalid_value, "session.output_modalities"},
        {R"("model":7)", invalid_value, "session.model"},
        {R"("audio":[])", invalid_value, "session.audio"},
        {R"("audio":{"foo":1})", unknown_parameter, "session.audio.foo"},
        {R"("audio":{"input":{"foo":1}})", unknown_parameter, "session.audio.input.foo"},
        {R"("audio":{"output":{"foo":1}})", unknown_parameter, "session.audio.output.foo"},
        {R"("audio":{"input":{"format":"pcm16"}})", invalid_value, "session.audio.input.format"},
        {R"("audio":{"input":{"format":{}}})", missing_required_parameter, "session.audio.input.format.type"},
        {R"("audio":{"input":{"format":{"type":"pcm16"}}})", invalid_value, "session.audio.input.format.type"},
        {R"("audio":{"input":{"format":{"type":"audio/pcm","rate":16000}}})", invalid_value, "session.audio.input.format.rate"},
        {R"("audio":{"output":{"format":{"type":"audio/pcmu","rate":24000}}})", invalid_value, "session.audio.output.format.rate"},
        {R"("audio":{"input":{"transcription":"whisper-1"}})", invalid_value, "session.audio.input.transcription"},
        {R"("audio":{"input":{"transcription":{"model":1}}})", invalid_value, "session.audio.input.transcription.model"},
        {R"("audio":{"input":{"transcription":{"languages":[]}}})", invalid_value, "session.audio.input.transcription.languages"},
        {R"("audio":{"input":{"transcription":{"keywords":[1]}}})", invalid_value, "session.audio.input.transcription.keywords"},
        {R"("audio":{"input":{"transcription":{"delay":"none"}}})", invalid_value, "session.audio.input.transcription.delay"},
        {R"("audio":{"input":{"transcription":{"foo":1}}})", unknown_parameter, "session.audio.input.transcription.foo"},
        {R"("audio":{"input":{"noise_reduction":{}}})", missing_required_parameter, "session.audio.input.noise_reduction.type"},
        {R"("audio":{"input":{"noise_reduction":{"type":"mid"}}})", invalid_value, "session.audio.input.noise_reduction.type"},
        {R"("audio":{"input":{"noise_reduction":"near_field"}})", invalid_value, "session.audio.input.noise_reduction"},
        {R"("audio":{"input":{"turn_detection":{"type":"server_vad","threshold":2}}})", invalid_value,
         "session.audio.input.turn_detection.threshold"},
        {R"("audio":{"input":{"turn_detection":"none"}})", invalid_value, "session.audio.input.turn_detection"},
        {R"("audio":{"output":{"voice":"nobody"}})", invalid_value, "session.audio.output.voice"},
        {R"("audio":{"output":{"voice":1}})", invalid_value, "session.audio.output.voice"},
        {R"("audio":{"output":{"voice":{}}})", missing_required_parameter, "session.audio.output.voice.id"},
        {R"("audio":{"output":{"voice":{"id":""}}})", invalid_value, "session.audio.output.voice.id"},
        {R"("audio":{"output":{"speed":0.2}})", invalid_value, "session.audio.output.speed"},
        {R"("audio":{"output":{"speed":1.51}})", invalid_value, "session.audio.output.speed"},
        {R"("tools":{})", invalid_value, "session.tools"},
        {R"("tools":[1])", invalid_value, "session.tools[0]"},
        {R"("tools":[{"name":"a"}])", missing_required_parameter, "session.tools[0].type"},
        {R"("tools":[{"type":"function","name":"a"},{"type":"function"}])", missing_required_parameter, "session.tools[1].name"},
        {R"("tools":[{"type":"function","name":"a b"}])", invalid_value, "session.tools[0].name"},
        {R"("tools":[{"type":"function","name":"a","parameters":[]}])", invalid_value, "session.tools[0].parameters"},
        {R"("tools":[{"type":"function","name":"a","description":1}])", invalid_value, "session.tools[0].description"},
        {R"("tools":[{"type":"function","function":{"name":"a"}}])", unknown_parameter, "session.tools[0].function"},
        {R"("tools":[{"type":"function","name":"a","strict":true}])", unknown_parameter, "session.tools[0].strict"},
        {R"("tools":[{"type":"mcp","server_label":"s"}])", invalid_value, "session.tools[0].type"},
        {R"("tools":[{"type":"web_search"}])", invalid_value, "session.tools[0].type"},
        {R"("tools":)" + many(R"({"type":"function","name":"a"})", 129), invalid_value, "session.tools"},
        {R"("tool_choice":"always")", invalid_value, "session.tool_choice"},
        {R"("tool_choice":1)", invalid_value, "session.tool_choice"},
        {R"("tool_choice":{"type":"function"})", missing_required_parameter, "session.tool_choice.name"},
        {R"("tool_choice":{"type":"mcp","server_label":"s"})", invalid_value, "session.tool_choice.type"},
        {R"("tool_choice":{"type":"allowed"})", invalid_value, "session.tool_choice.type"},
        {R"("parallel_tool_calls":"yes")", invalid_value, "session.parallel_tool_calls"},
        {R"("reasoning":{"effort":"max"})", invalid_value, "session.reasoning.effort"},
        {R"("reasoning":{"foo":1})", unknown_parameter, "session.reasoning.foo"},
        {R"("max_output_tokens":0)", invalid_value, "session.max_output_tokens"},
        {R"("max_output_tokens":4097)", invalid_value, "session.max_output_tokens"},
        {R"("max_output_tokens":1.5)", invalid_value, "session.max_output_tokens"},
        {R"("max_output_tokens":"lots")", invalid_value, "session.max_output_tokens"},
        {R"("max_output_tokens":true)", invalid_value, "session.max_output_tokens"},
        {R"("truncation":"never")", invalid_value, "session.truncation"},
        {R"("truncation":5)", invalid_value, "session.truncation"},
        {R"("truncation":{"type":"retention_ratio"})", missing_required_parameter, "session.truncation.retention_ratio"},
        {R"("truncation":{"type":"retention_ratio","retention_ratio":1.1})", invalid_value, "session.truncation.retention_ratio"},
        {R"("truncation":{"type":"retention_ratio","retention_ratio":1,"token_limits":{"post_instructions":-1}})", invalid_value,
         "session.truncation.token_limits.post_instructions"},
        {R"("tracing":"on")", invalid_value, "session.tracing"},
        {R"("tracing":{"workflow_name":1})", invalid_value, "session.tracing.workflow_name"},
        {R"("prompt":"pmpt_1")", invalid_value, "session.prompt"},
        {R"("prompt":{"id":"p","variables":{"x":1}})", invalid_value, "session.prompt.variables"},
        {R"("prompt":{"version":"1"})", missing_required_parameter, "session.prompt.id"},
        {R"("include":"item.input_audio_transcription.logprobs")", invalid_value, "session.include"},
        {R"("include":["other"])", invalid_value, "session.include"},
        {R"("include":[1])", invalid_value, "session.include"},
        {R"("foo":1)", unknown_parameter, "session.foo"},
        {R"("foo":null)", unknown_parameter, "session.foo"},
        {R"("id":"sess_2")", unknown_parameter, "session.id"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.members);
        SessionConfig config = some_session();
        const std::string before = text_of(config);
        const auto result = update(config, R"({"type":"realtime","instructions":"lost",)" + row.members + "}");
        REQUIRE_FALSE(result.has_value());
        CHECK(result.error().code == row.code);
        CHECK(result.error().param == row.param);
        CHECK(result.error().message.size() > 10);
        CHECK(text_of(config) == before);
    }
}

TEST_CASE("an update says what type of session it is for")
{
    const std::pair<const char*, Code> rows[] = {
        {"{}", Code::missing_required_parameter},
        {R"({"instructions":"x"})", Code::missing_required_parameter},
        {R"({"type":"transcription"})", Code::invalid_value},
        {R"({"type":"live"})", Code::invalid_value},
        {R"({"type":1})", Code::invalid_value},
    };
    for (const auto& [session, code] : rows) {
        CAPTURE(session);
        SessionConfig config = some_session();
        const auto result = update(config, session);
        REQUIRE_FALSE(result.has_value());
        CHECK(result.error().code == code);
        CHECK(result.error().param == "session.type");
    }
}

TEST_CASE("a flat beta field is refused with the name it has now")
{
    const std::pair<const char*, const char*> rows[] = {
        {"modalities", "session.output_modalities"},
        {"voice", "session.audio.output.voice"},
        {"speed", "session.audio.output.speed"},
        {"input_audio_format", "session.audio.input.format"},
        {"output_audio_format", "session.audio.output.format"},
        {"input_audio_transcription", "session.audio.input.transcription"},
        {"input_audio_noise_reduction", "session.audio.input.noise_reduction"},
        {"turn_detection", "session.audio.input.turn_detection"},
        {"max_response_output_tokens", "session.max_output_tokens"},
        {"temperature", "no temperature"},
    };
    for (const auto& [field, mend] : rows) {
        CAPTURE(field);
        SessionConfig config = some_session();
        const auto result = update(config, R"({"type":"realtime",")" + std::string(field) + R"(":1})");
        REQUIRE_FALSE(result.has_value());
        CHECK(result.error().code == Code::unknown_parameter);
        CHECK(result.error().param == "session." + std::string(field));
        CHECK(result.error().message.find(mend) != std::string::npos);
    }
}

TEST_CASE("a session that was shown can be sent back but for what the server sets")
{
    const SessionConfig config = after(R"({"type":"realtime","instructions":"i","max_output_tokens":12,"reasoning":{"effort":"low"},
        "audio":{"input":{"turn_detection":{"type":"server_vad","idle_timeout_ms":5000},"noise_reduction":{"type":"near_field"}},
                 "output":{"voice":"marin"}}})");
    json::object session = to_json(config);
    for (const char* key : {"id", "object", "expires_at"}) session.erase(key);
    SessionConfig copy = some_session();
    REQUIRE(apply_session_update(copy, session, false).has_value());
    CHECK(text_of(copy) == text_of(config));
}

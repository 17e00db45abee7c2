#include "voice/interview_flow.hpp"

#include "recordings.hpp"

#include <catch2/catch.hpp>

using namespace repartee;
using namespace repartee::voice;
using testing::webm;
using Stage = InterviewStage;

namespace {


InterviewSettings two_questions()
{
    InterviewSettings settings;
    settings.questions = {"Who are you?", "Why here?"};
    settings.language = "en";
    settings.answer_bytes_max = 1'000;
    return settings;
}

InterviewState state_of(const InterviewSettings& settings)
{
    InterviewState state;
    state.questions = settings.questions;
    return state;
}

InterviewFlow begun(InterviewSettings settings = two_questions(), bool model = false)
{
    InterviewState state = state_of(settings);
    InterviewFlow flow("intv_1", std::move(settings), std::move(state), {}, model);
    flow.begin();
    return flow;
}

void send(InterviewFlow& flow, const std::string& bytes) { flow.on_binary(std::as_bytes(std::span(bytes))); }

std::vector<std::string> types(InterviewFlow& flow)
{
    std::vector<std::string> list;
    for (const std::string& event : flow.take_events()) {
        const json::object o = json::parse_object(event).value();
        std::string type(json::find_string(o, "type").value());
        if (type == "error") type += ":" + std::string(json::find_string(o, "code").value());
        list.push_back(std::move(type));
    }
    return list;
}

using List = std::vector<std::string>;

}  // namespace

TEST_CASE("an interview of two questions goes from the first to the transcript")
{
    InterviewFlow flow = begun();
    REQUIRE(flow.stage() == Stage::asking);
    REQUIRE(flow.question_start_event() ==
            R"({"type":"question_start","text":"Who are you?","session_id":"intv_1","index":1,"total":2,"resumed":false})");
    flow.on_question_spoken();
    REQUIRE(flow.stage() == Stage::answering);
    send(flow, webm);
    flow.on_text(R"({"type":"answer_done"})");
    REQUIRE(types(flow) == List{"transcribing_start"});
    REQUIRE(flow.stage() == Stage::transcribing);
    REQUIRE(flow.clips().size() == 1);
    REQUIRE(flow.clips()[0].file == webm);
    flow.on_transcript("  I am\nJo. ");
    REQUIRE(flow.take_events() == List{R"({"type":"answer_text","text":"I am Jo."})"});
    REQUIRE(flow.stage() == Stage::asking);
    REQUIRE(flow.question() == "Why here?");
    flow.on_question_spoken();
    send(flow, webm);
    flow.on_text(R"({"type":"answer_done"})");
    flow.on_transcript("Because.");
    REQUIRE(flow.stage() == Stage::closing);
    REQUIRE(flow.state().finished);
    flow.take_events();
    flow.on_closing_spoken();
    REQUIRE(flow.stage() == Stage::over);
    REQUIRE(flow.close_code() == 1000);
    REQUIRE(flow.close_reason() == "interview_over");
    REQUIRE(flow.take_events() == List{R"({"type":"interview_end","session_id":"intv_1","transcript":[)"
                                       R"({"question":"Who are you?","answer":"I am Jo."},)"
                                       R"({"question":"Why here?","answer":"Because."}]})"});
}

TEST_CASE("what belongs nowhere is an error, and the interview stays where it is")
{
    InterviewFlow flow = begun();
    flow.on_question_spoken();
    flow.on_text("no json");
    flow.on_text(R"({"type":"hello"})");
    flow.on_text(R"([1])");
    flow.on_text(R"({"type":"answer_done"})");
    REQUIRE(types(flow) == List{"error:invalid_json", "error:invalid_event", "error:invalid_json", "error:input_audio_buffer_commit_empty"});
    REQUIRE(flow.stage() == Stage::answering);

    send(flow, "this is no recording of any kind, but long enough to be judged as one........");
    flow.on_text(R"({"type":"answer_done"})");
    REQUIRE(types(flow) == List{"error:invalid_audio"});
    REQUIRE(flow.stage() == Stage::answering);
    flow.on_text(R"({"type":"answer_done"})");
    REQUIRE(types(flow) == List{"error:input_audio_buffer_commit_empty"});
}

TEST_CASE("sound while nobody listens is dropped and said once")
{
    InterviewFlow flow = begun();
    flow.on_question_spoken();
    send(flow, webm);
    flow.on_text(R"({"type":"answer_done"})");
    types(flow);
    send(flow, webm);
    send(flow, webm);
    flow.on_text(R"({"type":"answer_done"})");
    flow.on_text(R"({"type":"answer_cancel"})");
    REQUIRE(types(flow) == List{"error:invalid_event", "error:invalid_event", "error:invalid_event"});
    REQUIRE(flow.clips()[0].file == webm);
}

TEST_CASE("an answer may begin, and end, while its question is being spoken")
{
    InterviewFlow flow = begun();
    send(flow, webm);
    flow.on_text(R"({"type":"answer_done"})");
    REQUIRE(flow.stage() == Stage::asking);
    flow.on_question_spoken();
    REQUIRE(flow.stage() == Stage::transcribing);
}

TEST_CASE("an answer over its size keeps what came and says so once")
{
    InterviewFlow flow = begun();
    flow.on_question_spoken();
    send(flow, webm);
    send(flow, std::string(2'000, 'x'));
    send(flow, "x");
    REQUIRE(types(flow) == List{"error:too_large"});
    flow.on_text(R"({"type":"answer_done"})");
    REQUIRE(flow.clips()[0].file == webm);
    flow.on_transcript("short");
    flow.on_question_spoken();
    send(flow, webm);
    REQUIRE(types(flow) == List{"transcribing_start", "answer_text"});  // the next answer has all of its room
}

TEST_CASE("a cancelled recording is forgotten")
{
    InterviewFlow flow = begun();
    flow.on_question_spoken();
    send(flow, std::string(900, 'x'));
    flow.on_text(R"({"type":"answer_cancel"})");
    send(flow, webm);
    flow.on_text(R"({"type":"answer_done"})");
    REQUIRE(types(flow) == List{"transcribing_start"});
    REQUIRE(flow.clips().size() == 1);
}

TEST_CASE("an answer that takes too long counts when there is one, else the connection ends")
{
    InterviewFlow silent = begun();
    silent.on_question_spoken();
    silent.on_answer_too_late();
    REQUIRE(types(silent) == List{"error:timeout"});
    REQUIRE(silent.stage() == Stage::over);
    REQUIRE(silent.close_code() == 1008);
    REQUIRE(silent.close_reason() == "answer_timeout");
    REQUIRE_FALSE(silent.state().finished);

    InterviewFlow talking = begun();
    talking.on_question_spoken();
    send(talking, webm);
    talking.on_answer_too_late();
    REQUIRE(types(talking) == List{"error:timeout", "transcribing_start"});
    REQUIRE(talking.stage() == Stage::transcribing);
}

TEST_CASE("an answer that could not be transcribed is kept, and more of it is a part of its own")
{
    InterviewFlow flow = begun();
    flow.on_question_spoken();
    send(flow, webm);
    flow.on_text(R"({"type":"answer_done"})");
    flow.on_not_transcribed({Code::provider_failed, "no luck"});
    REQUIRE(types(flow) == List{"transcribing_start", "error:provider_failed"});
    REQUIRE(flow.stage() == Stage::answering);
    send(flow, webm + "2");
    flow.on_text(R"({"type":"answer_done"})");
    REQUIRE(flow.clips().size() == 2);
    REQUIRE(flow.clips()[1].file == webm + "2");
}

TEST_CASE("a recording that nobody could transcribe is not tried again and again for a client that says nothing")
{
    InterviewFlow flow = begun();
    flow.on_question_spoken();
    send(flow, webm);
    flow.on_answer_too_late();
    flow.on_not_transcribed({Code::provider_failed, "no luck"});
    REQUIRE(flow.stage() == Stage::answering);
    flow.on_answer_too_late();
    REQUIRE(flow.stage() == Stage::over);
    REQUIRE(flow.close_reason() == "answer_timeout");
    REQUIRE(flow.take_parts().size() == 1);
}

TEST_CASE("a dropped answer goes on as a second part")
{
    InterviewFlow first = begun();
    first.question_start_event();
    first.on_question_spoken();
    send(first, webm);
    std::vector<store::StoredRecording> parts = first.take_parts();
    REQUIRE(parts.size() == 1);
    REQUIRE(parts[0].format == "webm");
    REQUIRE(parts[0].question == 1);
    REQUIRE(parts[0].part == 1);

    InterviewFlow second("intv_1", two_questions(), first.state(), std::move(parts), false);
    second.begin();
    REQUIRE(second.question_start_event() ==
            R"({"type":"question_start","text":"Who are you?","session_id":"intv_1","index":1,"total":2,"resumed":true})");
    second.on_question_spoken();
    send(second, webm + "rest");
    second.on_text(R"({"type":"answer_done"})");
    REQUIRE(second.clips().size() == 2);
    REQUIRE(second.take_parts()[1].part == 2);
}

TEST_CASE("PCM parts of one rate are one clip")
{
    InterviewSettings settings = two_questions();
    settings.input_hz = 16'000;
    const InterviewState state = state_of(settings);
    std::vector<store::StoredRecording> parts(3);
    parts[0].format = parts[1].format = "pcm16@16000";
    parts[2].format = "pcm16@8000";
    parts[0].bytes = std::string("\x01\x00\x02", 3);  // half a sample at its end
    parts[1].bytes = std::string("\x03\x00", 2);
    parts[2].bytes = std::string("\x04\x00", 2);
    const InterviewFlow flow("intv_1", settings, state, parts, false);
    const auto clips = flow.clips();
    REQUIRE(clips.size() == 2);
    REQUIRE(clips[0].samples == std::vector<std::int16_t>{1, 3});
    REQUIRE(clips[0].hz == 16'000);
    REQUIRE(clips[1].hz == 8'000);
}

TEST_CASE("a model follows up, and the list goes on when it does not")
{
    InterviewSettings settings = two_questions();
    settings.follow_ups_max = 1;
    settings.questions_max = 3;
    InterviewFlow flow = begun(settings, true);
    const auto answer = [&flow](const char* text) {
        flow.on_question_spoken();
        send(flow, webm);
        flow.on_text(R"({"type":"answer_done"})");
        flow.on_transcript(text);
    };
    answer("I build bridges.");
    REQUIRE(flow.stage() == Stage::thinking);
    flow.on_made_question("\"Which\nbridge?\"");
    REQUIRE(flow.question() == "\"Which bridge?\"");
    REQUIRE(flow.state().exchanges.back().made);
    answer("The long one.");
    REQUIRE(flow.question() == "Why here?");
    answer("So.");
    REQUIRE(flow.stage() == Stage::closing);  // three are the most

    InterviewFlow without = begun(settings, true);
    without.on_question_spoken();
    send(without, webm);
    without.on_text(R"({"type":"answer_done"})");
    without.on_transcript("Yes.");
    without.on_made_question(std::nullopt);
    REQUIRE(without.stage() == Stage::asking);
    REQUIRE(without.question() == "Why here?");
}

TEST_CASE("nothing understood is not followed up")
{
    InterviewSettings settings = two_questions();
    settings.follow_ups_max = 2;
    InterviewFlow flow = begun(settings, true);
    flow.on_question_spoken();
    send(flow, webm);
    flow.on_text(R"({"type":"answer_done"})");
    flow.on_transcript("");
    REQUIRE(flow.take_events().back() == R"({"type":"answer_text","text":""})");
    REQUIRE(flow.question() == "Why here?");
}

TEST_CASE("without a list the model asks all of it, and three general questions are there when it fails at once")
{
    InterviewSettings settings;
    settings.topic = "welding";
    settings.questions_max = 2;
    settings.language = "en";
    InterviewFlow flow = begun(settings, true);
    REQUIRE(flow.stage() == Stage::thinking);
    flow.on_made_question("Which metals do you weld?");
    REQUIRE(flow.question_start_event().find(R"("index":1,"total":2)") != std::string::npos);

    InterviewFlow failing = begun(settings, true);
    failing.on_made_question(std::nullopt);
    REQUIRE(failing.stage() == Stage::asking);
    REQUIRE(failing.question() == "Please introduce yourself briefly.");

    InterviewFlow without_model = begun(settings, false);
    REQUIRE(without_model.question() == "Please introduce yourself briefly.");
}

TEST_CASE("a finished interview says its transcript again")
{
    InterviewState state;
    state.exchanges = {{"Q", "A"}};
    state.answered = state.finished = true;
    InterviewFlow flow("intv_1", two_questions(), state, {}, false);
    flow.begin();
    REQUIRE(flow.stage() == Stage::over);
    REQUIRE(types(flow) == List{"interview_end"});
}

TEST_CASE("a record is read as it was written, and nothing else is")
{
    InterviewRecord record;
    record.settings = two_questions();
    record.settings.input_hz = 8'000;
    record.settings.format = audio::ReplyFormat::opus;
    record.settings.speed = 1.25;
    record.settings.answer_limit = std::chrono::milliseconds(7);
    record.state.exchanges = {{"Q1", "A1", false}, {"Q2", "", true}};
    record.state.questions = {"Q3"};
    record.state.follow_ups = 2;
    const std::string text = to_text(record);
    const auto read = parse_interview_record(text);
    REQUIRE(read.has_value());
    REQUIRE(to_text(*read) == text);
    REQUIRE(transcript_of(read->state).size() == 1);  // the open question is not answered yet
    for (const char* bad : {"", "{}", "[]", R"({"settings":{},"state":{}})", R"({"settings":1,"state":2})"})
        REQUIRE_FALSE(parse_interview_record(bad).has_value());
    std::string broken = text;
    broken.replace(broken.find(R"("answered":false)"), 16, R"("answered":12345)");
    REQUIRE_FALSE(parse_interview_record(broken).has_value());
}

#include "app/api_settings.hpp"

#include <catch2/catch.hpp>

using namespace repartee;
using namespace repartee::app;

TEST_CASE("an interview has questions also when nobody is there to think of some")
{
    Config config;
    CHECK(api_settings(config).interview.questions.size() == 3);
    const std::string korean = api_settings(config).interview.questions.front();
    config.interview.language = "en";
    CHECK(api_settings(config).interview.questions.size() == 3);
    CHECK(api_settings(config).interview.questions.front() != korean);
    config.interview.questions = "Why us?|Why you?";
    CHECK(api_settings(config).interview.questions == std::vector<std::string>{"Why us?", "Why you?"});
    config.interview.questions.clear();
    config.llm.provider = "ollama";
    config.llm.model = "gemma";
    CHECK(api_settings(config).interview.questions.empty());
}

TEST_CASE("requests are put into classes by their words when no model is there")
{
    Config config;
    CHECK(api_settings(config).voice_chat.classify == "words");
    config.voice_chat.classify = "off";
    CHECK(api_settings(config).voice_chat.classify == "off");
    config.voice_chat.classify = "auto";
    config.llm.provider = "ollama";
    config.llm.model = "gemma";
    CHECK(api_settings(config).voice_chat.classify == "auto");
}

TEST_CASE("every format of the settings is one that replies are made in")
{
    using audio::ReplyFormat;
    Config config;
    const std::pair<const char*, ReplyFormat> formats[] = {
        {"mp3", ReplyFormat::mp3}, {"wav", ReplyFormat::wav}, {"opus", ReplyFormat::opus}, {"pcm", ReplyFormat::pcm}};
    for (const auto& [word, format] : formats) {
        config.interview.format = word;
        CHECK(api_settings(config).interview.format == format);
    }
}

TEST_CASE("the bounds of uploads, utterances and their sockets follow the settings")
{
    Config config;
    config.voice_chat.upload_bytes_max = 2'000'000;
    config.limits.uploads_bytes_max = 5'000'000;
    config.limits.client_message_bytes_max = 4'096;
    config.listen.utterance_bytes_max = 10'000;
    config.interview.answer_bytes_max = 3'000'000;
    const api::Settings settings = api_settings(config);
    CHECK(settings.voice_chat.upload_bytes_max == 2'000'000);
    CHECK(settings.uploads_bytes_max == 5'000'000);
    CHECK(settings.listen.utterance_bytes_max == 10'000);
    CHECK(settings.listen_socket.message_bytes_max == 20'000);
    CHECK(settings.interview.answer_bytes_max == 3'000'000);
    CHECK(settings.interview_socket.message_bytes_max == settings.interview.answer_bytes_max + (64 << 10));  // a recording in one message
}

TEST_CASE("what lets a conversation outlive its connections follows the settings")
{
    Config config;
    config.resume.events_max = 7;
    config.resume.events_bytes_max = 4'096;
    config.resume.audio_ms_max = 500;
    config.resume.waiting_max = 3;
    config.recovery.rotate_age_ms = 1'000;
    config.recovery.rotate_force_age_ms = 2'000;
    config.recovery.speech_ms_max = 5'000;
    config.recovery.items_max = 50;
    config.recovery.replay_tokens_max = 900;
    config.recovery.attempts_max = 2;
    config.recovery.backoff_min_ms = 10;
    config.recovery.backoff_max_ms = 20;
    config.recovery.limit_ms = 400;
    config.recovery.spoken_line = false;
    config.conversation.limit_ms = 90'000;
    config.conversation.warning_ms = 9'000;
    const api::Settings settings = api_settings(config);
    CHECK(settings.resume.window == milliseconds(60'000));
    CHECK(settings.resume.waiting_max == 3);
    CHECK(settings.resume.events_bytes_max == 4'096);
    CHECK(settings.session.downlink.resume.events_max == 7);
    CHECK(settings.session.downlink.resume.events_bytes_max == 4'096);
    CHECK(settings.session.downlink.resume.audio_max == milliseconds(500));
    CHECK(settings.session.recovery.enabled);
    CHECK(settings.session.recovery.rotate_age == milliseconds(1'000));
    CHECK(settings.session.recovery.rotate_force_age == milliseconds(2'000));
    CHECK(settings.session.recovery.speech_bytes_max == 240'000);
    CHECK(settings.session.recovery.history.items_max == 50);
    CHECK(settings.session.recovery.history.replay_tokens_max == 900);
    CHECK(settings.recovery.attempts_max == 2);
    CHECK(settings.recovery.backoff_min == milliseconds(10));
    CHECK(settings.recovery.backoff_max == milliseconds(20));
    CHECK(settings.recovery.limit == milliseconds(400));
    CHECK_FALSE(settings.recovery.spoken_line);
    CHECK(settings.session.limit == milliseconds(90'000));
    CHECK(settings.session.warning == milliseconds(9'000));
}

TEST_CASE("when no client may come back nothing is kept for it")
{
    Config config;
    CHECK(api_settings(config).session.downlink.resume.events_max == 256);
    config.resume.window_ms = 0;
    CHECK(api_settings(config).session.downlink.resume.events_max == 0);
    CHECK(api_settings(config).resume.window == milliseconds(0));
}

TEST_CASE("turn taking follows the settings, and is as always when none is set")
{
    Config config;
    const auto usual = api_settings(config).session;
    CHECK(usual.turn_taking.echo_guard == milliseconds(0));
    CHECK(usual.turn_taking.backchannel_max == milliseconds(0));
    CHECK_FALSE(usual.turn_taking.go_on_after_false_interruption);
    CHECK(usual.turn_taking.idle_prompt == milliseconds(0));
    CHECK(usual.turn_taking.turn_max == milliseconds(120'000));
    CHECK_FALSE(usual.downlink.suspends);
    CHECK(usual.limit == milliseconds(0));
    config.turn_taking = {300, 700, true, 15'000, 1, 60'000, 5'000};
    const auto changed = api_settings(config).session;
    CHECK(changed.turn_taking.echo_guard == milliseconds(300));
    CHECK(changed.turn_taking.backchannel_max == milliseconds(700));
    CHECK(changed.turn_taking.go_on_after_false_interruption);
    CHECK(changed.turn_taking.idle_prompt == milliseconds(15'000));
    CHECK(changed.turn_taking.idle_prompts_max == 1);
    CHECK(changed.turn_taking.turn_max == milliseconds(60'000));
    CHECK(changed.turn_taking.warning == milliseconds(5'000));
    CHECK(changed.downlink.suspends);
}

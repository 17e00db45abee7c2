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

#include "last_words.hpp"

namespace repartee::api {
namespace {

Task<std::vector<std::byte>> speak(std::shared_ptr<providers::TextToSpeech> voice, providers::SpeechRequest request)
{
    std::vector<std::byte> pcm;
    const providers::SpeechSink collect = [&pcm](std::span<const std::int16_t> samples) {
        const auto bytes = std::as_bytes(samples);
        pcm.insert(pcm.end(), bytes.begin(), bytes.end());
    };
    const providers::Stop never;
    const auto spoken = co_await voice->speak(std::move(request), collect, never);
    if (!spoken) co_return spoken.error();
    co_return pcm;
}

}  // namespace

std::string last_words(const characters::Character& character)
{
    if (character.language.starts_with("ko"))
        return "미안해요, 연결이 끊겨서 지금은 더 이야기할 수 없어요. 잠시 뒤에 다시 불러 주세요.";
    return "I'm sorry, my connection is lost and I can't talk any more just now. Please call me again in a moment.";
}

relay::Speak last_voice(const providers::Roles& roles, std::shared_ptr<const characters::Character> character)
{
    return [tts = roles.tts, character = std::move(character)](std::string text) {
        providers::SpeechRequest request;
        request.text = std::move(text);
        request.voice = character->voice_id.empty() ? character->openai_voice : character->voice_id;
        request.language = character->language;
        return speak(tts, std::move(request));
    };
}

}  // namespace repartee::api

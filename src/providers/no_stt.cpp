#include "repartee/providers/no_stt.hpp"

namespace repartee::providers {

Task<Transcript> NoStt::transcribe(TranscribeRequest, TextSink, Stop)
{
    co_return Error{Code::not_configured,
                    "Speech is not transcribed: there is no recogniser of our own. Set stt.url to a transcription service, or stt.api_key "
                    "(or OPENAI_API_KEY) to use OpenAI's, or type."};
}

}  // namespace repartee::providers

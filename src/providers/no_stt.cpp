#include "repartee/providers/no_stt.hpp"

namespace repartee::providers {

Task<std::string> NoStt::transcribe(std::vector<std::int16_t>, std::string, Stop)
{
    co_return Error{Code::not_configured,
                    "Speech is not transcribed: the local engine has no recogniser. "
                    "Set realtime.api_key (or OPENAI_API_KEY) to talk to the OpenAI service, or type."};
}

}  // namespace repartee::providers

#include "profiling/symbolizer.h"

#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>

// A name that nothing is likely to share, and that the test programs' own table has.
__attribute__((noinline)) int FunctionOfTheSymbolizersTest(int value) { return value + 1; }

namespace headrace::profiling {
namespace {

using ::testing::StartsWith;

std::uint64_t AddressOf(const void* code) { return reinterpret_cast<std::uintptr_t>(code) + 1; }

TEST(SymbolizerTest, NamesAFunctionOfThisProgram) {
  EXPECT_EQ(FunctionOfTheSymbolizersTest(1), 2);
  Symbolizer symbolizer;
  const CodePlace place =
      symbolizer.Find(AddressOf(reinterpret_cast<const void*>(&FunctionOfTheSymbolizersTest)));
  EXPECT_EQ(place.function, "FunctionOfTheSymbolizersTest");
  EXPECT_EQ(place.module, "profiling_test");
}

TEST(SymbolizerTest, NamesAFunctionOfALibrary) {
  Symbolizer symbolizer;
  const CodePlace place = symbolizer.Find(AddressOf(reinterpret_cast<const void*>(&::getpid)));
  EXPECT_THAT(place.module, StartsWith("libc"));
  EXPECT_THAT(place.function, ::testing::HasSubstr("getpid"));
}

TEST(SymbolizerTest, SaysWhatHasNoName) {
  const std::string path = ::testing::TempDir() + "/maps_" + std::to_string(getpid());
  std::ofstream(path) << "1000-2000 r-xp 00000000 00:00 0 \n"
                         "3000-4000 rw-p 00000000 00:00 0 [heap]\n"
                         "5000-6000 r-xp 00000000 00:00 0 [vdso]\n"
                         "7000-8000 r-xp 00000000 08:01 5 /no/such/lib file.so (deleted)\n"
                         "no line of it\n";
  Symbolizer symbolizer(path);
  ::unlink(path.c_str());
  EXPECT_EQ(symbolizer.Find(0x1800).function, "[generated code]");
  EXPECT_EQ(symbolizer.Find(0x3800).function, "[unknown]");
  EXPECT_EQ(symbolizer.Find(0x5800).function, "[vdso]");
  EXPECT_EQ(symbolizer.Find(0x7800).function, "[lib file.so (deleted)]");
  EXPECT_EQ(symbolizer.Find(0x10).function, "[unknown]");
  EXPECT_EQ(symbolizer.Find(~std::uint64_t{0}).function, "[unknown]");
}

TEST(ElfFunctionsTest, RefusesWhatIsNoProgram) {
  EXPECT_FALSE(ElfFunctions::Read("/no/such/file").ok());
  EXPECT_FALSE(ElfFunctions::Read("/proc/self/maps").ok());
  const std::string path = ::testing::TempDir() + "/elf_" + std::to_string(getpid());
  // The head of a file whose tables lie beyond its end.
  std::string head(
      "\x7f"
      "ELF\x02\x01\x01",
      7);
  head.resize(64, '\xff');
  std::ofstream(path, std::ios::binary) << head;
  EXPECT_FALSE(ElfFunctions::Read(path).ok());
  ::unlink(path.c_str());
}

template <typename T>
void Put(std::string& file, const T& value) {
  file.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

TEST(ElfFunctionsTest, KnowsWhereFunctionsBegin_WithoutTheirNames) {
  // A stripped file: what is loaded, and the table of frames with two functions.
  constexpr std::uint64_t kTable = sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr);
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_phoff = sizeof(header);
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 2;
  Elf64_Phdr code{}, frames{};
  code.p_type = PT_LOAD;
  code.p_offset = 0;
  code.p_filesz = 0x400;
  code.p_vaddr = 0x10000;
  frames.p_type = PT_GNU_EH_FRAME;
  frames.p_offset = kTable;
  frames.p_vaddr = 0x10000 + kTable;
  frames.p_filesz = 28;
  std::string file;
  Put(file, header);
  Put(file, code);
  Put(file, frames);
  file += "\x01\x1b\x03\x3b";
  Put(file, std::int32_t{0});
  Put(file, std::uint32_t{2});
  for (const std::int32_t start : {0x100, 0x200}) {
    Put(file, start);
    Put(file, std::int32_t{0});
  }
  const std::string path = ::testing::TempDir() + "/stripped_" + std::to_string(getpid());
  std::ofstream(path, std::ios::binary) << file;
  const auto functions = ElfFunctions::Read(path);
  ::unlink(path.c_str());
  ASSERT_TRUE(functions.ok());
  EXPECT_EQ(functions->AddressAt(0x300), 0x10300u);
  EXPECT_FALSE(functions->AddressAt(0x400).has_value());
  EXPECT_EQ(functions->At(frames.p_vaddr + 0x180)->start, frames.p_vaddr + 0x100);
  EXPECT_EQ(functions->At(frames.p_vaddr + 0x200)->start, frames.p_vaddr + 0x200);
  EXPECT_EQ(functions->At(frames.p_vaddr + 0x200)->symbol, "");
  EXPECT_FALSE(functions->At(0x10000).has_value());
}

TEST(ShortFunctionNameTest, LeavesTheNameAlone) {
  EXPECT_EQ(ShortFunctionName("_ZN2at6native4reluERKNS_6TensorE"), "at::native::relu");
  EXPECT_EQ(ShortFunctionName("_ZNSt6vectorIiSaIiEE9push_backERKi"), "std::vector::push_back");
  EXPECT_EQ(ShortFunctionName("_ZN12_GLOBAL__N_11fEv"), "f");
  EXPECT_EQ(ShortFunctionName("_Z3maxIiET_S0_S0_"), "max");  // without its result
  EXPECT_EQ(ShortFunctionName("_ZN1AclEi"), "A::operator()");
  EXPECT_EQ(ShortFunctionName("_ZN1AlsEi"), "A::operator<<");
  EXPECT_EQ(ShortFunctionName("memcpy"), "memcpy");
  EXPECT_EQ(ShortFunctionName("_Zbroken"), "_Zbroken");
  EXPECT_EQ(ShortFunctionName(std::string(1000, 'x')).size(), kNameByteSizeMax);
}

}  // namespace
}  // namespace headrace::profiling

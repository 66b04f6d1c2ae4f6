# The one command that every call starts. It reads an envelope from standard input
# and passes it to the prelude, which is the envelope's first frame.
#
# The command line leaves out the lines that begin with #.

# This runs in Constrained Language Mode; nothing below does.
$l = "$($ExecutionContext.SessionState.LanguageMode)"
if ($l -ne 'FullLanguage') { "@@LANGUAGE $l"; exit 98 }
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$m = New-Object IO.MemoryStream
$e = ''
try {
foreach ($i in $input) {
if ($i.StartsWith('#END ')) { $e = $i.Substring(5).Trim(); break }
$b = [Convert]::FromBase64String($i)
$m.Write($b, 0, $b.Length)
}
} catch { $e = '' }
$d = $m.ToArray()
# Not SHA256.Create(), which .NET Framework rejects under the FIPS policy.
$h = [BitConverter]::ToString((New-Object Security.Cryptography.SHA256CryptoServiceProvider).ComputeHash($d)).Replace('-', '')
if ($h -ne $e) { '@@BAD stdin'; exit 97 }
$n = [BitConverter]::ToInt32($d, 0)
& ([ScriptBlock]::Create([Text.Encoding]::UTF8.GetString($d, 4, $n))) $d (4 + $n)

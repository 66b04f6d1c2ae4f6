# The task itself: runs all waiting requests, one after the other.
$FarmTrustHash = Get-ScriptHash -Path $PSCommandPath
Remove-OldResult -Folder $PSScriptRoot
foreach ($file in Get-RequestFile -Folder $PSScriptRoot) {
    Complete-Request -File $file -Folder $PSScriptRoot -Hash $FarmTrustHash
}

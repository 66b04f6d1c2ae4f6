# The hash of the script that is installed on the simulated server; empty when
# none is. What runs here is a copy of this version's, with stubs in it.
function Get-ScriptHash {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Path)
    Invoke-Model -Name Get-ScriptHash -With @{ Path = $Path.Replace($env:ProgramFiles, 'C:\Program Files').Replace('/', '\') }
}

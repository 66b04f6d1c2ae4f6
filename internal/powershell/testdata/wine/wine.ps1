# These replace the functions that need a key: Wine stores the key of a PFX and then
# does not find it (0x80090016).

function Get-KeyLocation {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [object] $Certificate)
    return [pscustomobject] @{ Provider = 'Microsoft Enhanced RSA and AES Cryptographic Provider'; Container = ''; File = ''; Since = $null }
}

function Get-PrivateKey {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [object] $Certificate)
    return $null
}

function Get-LegacySigner {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [object] $Certificate)
    return $null
}

function Remove-Key {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [object] $Certificate)
}

# The PowerShell that runs under Wine is not Windows PowerShell: its .NET makes no mutex
# with an access list.
function Open-ServerMutex {
    [CmdletBinding()]
    param()
    return New-Object System.Threading.Mutex $false, 'Global\farmtrust'
}

# Closes a store. Windows saves changes of a store at once. Wine saves them when the
# store is closed, but not when only a property changed or when X509Store.Remove
# left a reference, so this function commits them.
function Close-WineStore {
    param([System.Security.Cryptography.X509Certificates.X509Store] $Store)

    if (-not ('WineStore' -as [type])) {
        Add-Type -TypeDefinition @'
public static class WineStore {
    [System.Runtime.InteropServices.DllImport("crypt32.dll", EntryPoint = "CertControlStore")]
    public static extern bool Control(System.IntPtr store, uint flags, uint type, System.IntPtr parameter);
}
'@
    }
    $commit = 3
    $force = 1
    if (-not [WineStore]::Control($Store.StoreHandle, $force, $commit, [IntPtr]::Zero)) { throw 'the store was not written' }
    $Store.Close()
}

# In place of what needs a key: Wine stores a PFX's key and then does not find
# it (0x80090016).

function Get-KeyLocation {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [object] $Certificate)
    return [pscustomobject] @{ Provider = 'Microsoft Enhanced RSA and AES Cryptographic Provider'; File = '' }
}

function Get-PrivateKey {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [object] $Certificate)
    return $null
}

function Remove-Key {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [object] $Certificate)
}

# In place of closing a store. Windows writes what is changed in a store at
# once. Wine does when the store is closed, unless a property was all that
# changed, or X509Store.Remove left a reference; so it is told to.
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
